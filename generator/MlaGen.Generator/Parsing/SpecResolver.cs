using MlaGen.Generator.Diagnostics;
using MlaGen.Generator.Model;
using MlaGen.Generator.Validation;

namespace MlaGen.Generator.Parsing;

/// <summary>Brings an attribute and the configuration it names together. The analyzers report the problems; the generator only asks whether there are any.</summary>
internal static class SpecResolver
{
    /// <summary>The specification to generate from, or null when something is wrong with it.</summary>
    public static MlaSpec? Resolve(AttributeModel attribute, EquatableArray<ConfigModel> configs)
    {
        if (attribute.ConfigName is not { } name)
        {
            MlaSpec spec = attribute.Settings.ToSpec(attribute.Target);
            return Problems(attribute, configs).Any() ? null : spec;
        }

        return Find(name, configs) is { IsValid: true } config
            && !Problems(attribute, configs).Any()
            && !ConfigUse.MissingKeys(attribute, config).Any()
            && !ConfigUse.IsSparse(attribute, config)
            && !ConfigUse.IsQuantized(attribute, config)
            && !ConfigUse.ValueProblems(attribute, config).Any()
                ? ConfigUse.Specify(attribute, config)
                : null;
    }

    /// <summary>All that is wrong with an attribute and its class. What the configuration brought in is reported in its file, by <see cref="ConfigUse"/>.</summary>
    public static IEnumerable<Problem> Problems(AttributeModel attribute, EquatableArray<ConfigModel> configs)
    {
        if (attribute.IsForeign)
        {
            return attribute.DeclarationProblems;
        }

        if (attribute.ConfigName is not { } name)
        {
            return attribute.DeclarationProblems.Concat(SpecValidator.Validate(attribute.Settings.ToSpec(attribute.Target), attribute.Settings));
        }

        if (Find(name, configs) is not { } config)
        {
            string known = configs.Count == 0 ? "there are none" : "there are " + string.Join(", ", configs.Select(static config => $"'{config.Name}'").Distinct());
            return attribute.DeclarationProblems.Append(Problem.At(nameof(attribute.ConfigName), Rules.ConfigNotFound, name, known, System.Security.SecurityElement.Escape(name)));
        }

        return config.IsValid ? attribute.DeclarationProblems.Concat(ConfigUse.AttributeProblems(attribute, config)) : attribute.DeclarationProblems;
    }

    /// <summary>The configuration of that name: of two, the first, and the second is reported.</summary>
    public static ConfigModel? Find(string name, EquatableArray<ConfigModel> configs)
        => configs.FirstOrDefault(config => string.Equals(config.Name, name, StringComparison.Ordinal));
}
