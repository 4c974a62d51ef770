using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Globalization;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.Text;
using MlaGen.Generator.Diagnostics;
using MlaGen.Generator.Model;
using MlaGen.Generator.Parsing;

namespace MlaGen.Generator.Configs;

/// <summary>
/// Reports what is wrong with a project's model configurations, at line and column of the JSON file. An analyzer of its own: <c>#pragma</c>
/// does not reach these rules, <c>.globalconfig</c> and <c>NoWarn</c> do.
/// </summary>
[DiagnosticAnalyzer(LanguageNames.CSharp)]
public sealed class MlaModelConfigAnalyzer : DiagnosticAnalyzer
{
    /// <inheritdoc/>
    public override ImmutableArray<DiagnosticDescriptor> SupportedDiagnostics => ConfigRules.All;

    /// <inheritdoc/>
    public override void Initialize(AnalysisContext context)
    {
        context.EnableConcurrentExecution();
        context.ConfigureGeneratedCodeAnalysis(GeneratedCodeAnalysisFlags.None);
        context.RegisterCompilationStartAction(static start =>
        {
            var files = new ConfigFiles(start.Options, start.CancellationToken);
            start.RegisterAdditionalFileAction(files.AnalyzeFile);
            start.RegisterSymbolAction(files.AnalyzeUse, SymbolKind.NamedType);
        });
    }

    /// <summary>The configurations of one compilation, each read once.</summary>
    private sealed class ConfigFiles(AnalyzerOptions options, CancellationToken cancellation)
    {
        private readonly Lazy<ImmutableArray<(AdditionalText File, ParsedConfig Config)>> _files = new(() => Read(options, cancellation));

        // Two classes that use one configuration find the same problem in it.
        private readonly ConcurrentDictionary<(string Id, string Path, TextSpan Span, string Message), bool> _reported = new();

        /// <summary>What is wrong with a file by itself.</summary>
        public void AnalyzeFile(AdditionalFileAnalysisContext context)
        {
            (AdditionalText File, ParsedConfig Config) own = _files.Value.FirstOrDefault(entry => entry.File == context.AdditionalFile);
            if (own.Config is null)
            {
                return;
            }

            SourceText? text = own.File.GetText(context.CancellationToken);
            foreach (ConfigProblem problem in own.Config.Problems)
            {
                context.ReportDiagnostic(problem.ToDiagnostic(own.File.Path, text));
            }

            (AdditionalText File, ParsedConfig Config) first = _files.Value.First(entry => entry.Config.Model.Name == own.Config.Model.Name);
            if (first.File != own.File)
            {
                var problem = new ConfigProblem(ConfigRules.DuplicateName, new TextSpan(0, 0), [own.Config.Model.Name, first.Config.Model.File]);
                context.ReportDiagnostic(problem.ToDiagnostic(own.File.Path, text));
            }
        }

        /// <summary>What is wrong with a file for a class that uses it.</summary>
        public void AnalyzeUse(SymbolAnalysisContext context)
        {
            var type = (INamedTypeSymbol)context.Symbol;
            if (type.TypeKind != TypeKind.Class
                || AttributeParser.Find(type) is not { } attribute
                || AttributeParser.Parse(type, attribute, context.Compilation) is not { ConfigName: { } name } model)
            {
                return;
            }

            (AdditionalText File, ParsedConfig Config) used = _files.Value.FirstOrDefault(entry => entry.Config.Model.Name == name);
            if (used.Config is not { Model.IsValid: true } config)
            {
                return;
            }

            SourceText? text = used.File.GetText(context.CancellationToken);
            foreach (ConfigProblem problem in Problems(model, config))
            {
                Diagnostic diagnostic = problem.ToDiagnostic(used.File.Path, text);
                if (_reported.TryAdd((diagnostic.Id, used.File.Path, problem.Span, diagnostic.GetMessage(CultureInfo.InvariantCulture)), true))
                {
                    context.ReportDiagnostic(diagnostic);
                }
            }
        }

        private static IEnumerable<ConfigProblem> Problems(AttributeModel attribute, ParsedConfig config)
        {
            string[] missing = [.. ConfigUse.MissingKeys(attribute, config.Model)];
            if (missing.Length > 0)
            {
                yield return new ConfigProblem(ConfigRules.MissingKey, config.Root, [string.Join(", ", missing)]);
            }

            if (ConfigUse.IsSparse(attribute, config.Model))
            {
                TextSpan place = config.PlaceOf(nameof(ConfigModel.IndexTopK));
                yield return new ConfigProblem(ConfigRules.SparseIndexer, place, [Counted.Of(config.Model.IndexTopK.GetValueOrDefault(), "key"), config.Model.IndexTopK.GetValueOrDefault().ToString(CultureInfo.InvariantCulture)]);
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
}
