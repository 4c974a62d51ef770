using MlaGen.Generator.Diagnostics;
using MlaGen.Generator.Model;
using MlaGen.Generator.Validation;

namespace MlaGen.Generator.Parsing;

/// <summary>Brings an attribute and the configuration it names together. The analyzer reports the problems; the generator only asks whether there are any.</summary>
internal static class SpecResolver
{
    /// <summary>The specification to generate from, or null when something is wrong with it.</summary>
    public static MlaSpec? Resolve(AttributeModel attribute, EquatableArray<ConfigModel> configs)
        => Merge(attribute, configs) is { } settings && !Problems(attribute, configs).Any() ? settings.ToSpec(attribute.Target) : null;

    /// <summary>All that is wrong with an attribute, its class, and the two together with the configuration.</summary>
    public static IEnumerable<Problem> Problems(AttributeModel attribute, EquatableArray<ConfigModel> configs)
    {
        IEnumerable<Problem> problems = attribute.DeclarationProblems;
        if (attribute.ConfigName is { } name && Find(name, configs) is null)
        {
            string known = configs.Count == 0 ? "there are none" : "there are " + string.Join(", ", configs.Select(static config => $"'{config.Name}'"));
            return problems.Append(Problem.At(nameof(attribute.ConfigName), Rules.ConfigNotFound, name, known));
        }

        // What a configuration has wrong is reported in its file, once, and not again at every class that uses it.
        return Merge(attribute, configs) is { } settings
            ? problems.Concat(SpecValidator.Validate(settings.ToSpec(attribute.Target), attribute.Settings))
            : problems;
    }

    private static MlaSettings? Merge(AttributeModel attribute, EquatableArray<ConfigModel> configs)
    {
        if (attribute.ConfigName is not { } name)
        {
            return attribute.Settings;
        }

        return Find(name, configs) is { IsValid: true } config ? attribute.Settings.Over(config.Settings) : null;
    }

    private static ConfigModel? Find(string name, EquatableArray<ConfigModel> configs)
        => configs.FirstOrDefault(config => string.Equals(config.Name, name, StringComparison.Ordinal));
}
