using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Globalization;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.Text;
using MlaGen.Generator.Configs;
using MlaGen.Generator.Diagnostics;
using MlaGen.Generator.Model;
using MlaGen.Generator.Parsing;

namespace MlaGen.Generator.Analyzers;

/// <summary>The configurations of one compilation, each read once, and what is to be said about them.</summary>
internal sealed class ConfigFiles(AnalyzerOptions options, CancellationToken cancellation)
{
    private readonly Lazy<ImmutableArray<(AdditionalText File, ParsedConfig Config)>> _files = new(() => Read(options, cancellation));

    // Two classes that use one configuration find the same problem in it.
    private readonly ConcurrentDictionary<(string Id, string Path, TextSpan Span, string Message), bool> _reported = new();

    /// <summary>All of them, by their values.</summary>
    public EquatableArray<ConfigModel> Models => new(_files.Value.Select(static entry => entry.Config.Model));

    /// <summary>What is wrong with a file by itself; nothing for a file that is no configuration.</summary>
    public IEnumerable<Diagnostic> OfFile(AdditionalText file, CancellationToken cancellation)
    {
        (AdditionalText File, ParsedConfig Config) own = _files.Value.FirstOrDefault(entry => entry.File == file);
        if (own.Config is null)
        {
            yield break;
        }

        SourceText? text = own.File.GetText(cancellation);
        foreach (ConfigProblem problem in own.Config.Problems)
        {
            yield return problem.ToDiagnostic(own.File.Path, text);
        }

        (AdditionalText File, ParsedConfig Config) first = _files.Value.First(entry => entry.Config.Model.Name == own.Config.Model.Name);
        if (first.File != own.File)
        {
            var problem = new ConfigProblem(ConfigRules.DuplicateName, new TextSpan(0, 0), [own.Config.Model.Name, first.Config.Model.File]);
            yield return problem.ToDiagnostic(own.File.Path, text);
        }
    }

    /// <summary>What is wrong with a file for a class that uses it.</summary>
    public IEnumerable<Diagnostic> OfUse(INamedTypeSymbol type, Compilation compilation, CancellationToken cancellation)
    {
        if (type.TypeKind != TypeKind.Class
            || AttributeParser.Find(type) is not { } attribute
            || AttributeParser.Parse(type, attribute, compilation) is not { ConfigName: { } name } model)
        {
            yield break;
        }

        (AdditionalText File, ParsedConfig Config) used = _files.Value.FirstOrDefault(entry => entry.Config.Model.Name == name);
        if (used.Config is not { Model.IsValid: true } config)
        {
            yield break;
        }

        SourceText? text = used.File.GetText(cancellation);
        foreach (ConfigProblem problem in Problems(model, config))
        {
            Diagnostic diagnostic = problem.ToDiagnostic(used.File.Path, text);
            if (_reported.TryAdd((diagnostic.Id, used.File.Path, problem.Span, diagnostic.GetMessage(CultureInfo.InvariantCulture)), true))
            {
                yield return diagnostic;
            }
        }
    }

    private static IEnumerable<ConfigProblem> Problems(AttributeModel attribute, ParsedConfig config)
    {
        string[] missing = [.. ConfigUse.MissingKeys(attribute, config.Model)];
        if (missing.Length > 0)
        {
            IEnumerable<string> named = missing.Select(static key => KnownKeys.Property(key) is { } property ? $"{key} ({property})" : key);
            yield return new ConfigProblem(ConfigRules.MissingKey, config.Root, [string.Join(", ", named), KnownKeys.HintAmong(missing, config.Keys)]);
        }

        if (ConfigUse.IsSparse(attribute, config.Model))
        {
            TextSpan place = config.PlaceOf(nameof(ConfigModel.IndexTopK));
            yield return new ConfigProblem(ConfigRules.SparseIndexer, place, [Counted.Of(config.Model.IndexTopK.GetValueOrDefault(), "key"), config.Model.IndexTopK.GetValueOrDefault().ToString(CultureInfo.InvariantCulture)]);
        }

        if (ConfigUse.IsQuantized(attribute, config.Model))
        {
            yield return new ConfigProblem(ConfigRules.UnsupportedQuantization, config.PlaceOf(nameof(ConfigModel.Quantization)), [config.Model.Quantization!]);
        }

        foreach (Problem problem in ConfigUse.ValueProblems(attribute, config.Model))
        {
            TextSpan place = problem.Property is { } property ? config.PlaceOf(property) : config.Root;
            string message = string.Format(CultureInfo.InvariantCulture, problem.Rule.MessageFormat.ToString(CultureInfo.InvariantCulture), [.. problem.Arguments]);
            yield return new ConfigProblem(ConfigRules.UnusableValue, place, [message]);
        }
    }

    private static ImmutableArray<(AdditionalText File, ParsedConfig Config)> Read(AnalyzerOptions options, CancellationToken cancellation)
    {
        ImmutableArray<(AdditionalText File, ParsedConfig Config)>.Builder files = ImmutableArray.CreateBuilder<(AdditionalText File, ParsedConfig Config)>();
        foreach (AdditionalText file in options.AdditionalFiles)
        {
            if (ConfigReader.Name(file, options.AnalyzerConfigOptionsProvider) is { } name)
            {
                files.Add((file, ConfigReader.Parse(name, file, cancellation)));
            }
        }

        return files.ToImmutable();
    }
}
