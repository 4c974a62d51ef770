using System.Collections.Concurrent;
using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Diagnostics;
using MlaGen.Generator.Checkpoints;
using MlaGen.Generator.Configs;
using MlaGen.Generator.Diagnostics;
using MlaGen.Generator.Model;
using MlaGen.Generator.Parsing;

namespace MlaGen.Generator.Analyzers;

/// <summary>Compares each class with the checkpoints that the project names for it, and reports at the attribute what loading would refuse.</summary>
[DiagnosticAnalyzer(LanguageNames.CSharp)]
public sealed class MlaCheckpointAnalyzer : DiagnosticAnalyzer
{
    /// <inheritdoc/>
    public override ImmutableArray<DiagnosticDescriptor> SupportedDiagnostics => CheckpointRules.All;

    /// <inheritdoc/>
    public override void Initialize(AnalysisContext context)
    {
        context.EnableConcurrentExecution();
        context.ConfigureGeneratedCodeAnalysis(GeneratedCodeAnalysisFlags.None);
        context.RegisterCompilationStartAction(static start =>
        {
            ImmutableArray<CheckpointFile> files = Files(start.Options, start.CancellationToken);
            if (!files.IsEmpty)
            {
                var session = new Session(files, start.Options, start.CancellationToken);
                start.RegisterSymbolAction(session.AnalyzeClass, SymbolKind.NamedType);
                start.RegisterCompilationEndAction(session.End);
            }
        });
    }

    private static ImmutableArray<CheckpointFile> Files(AnalyzerOptions options, CancellationToken cancellation)
    {
        ImmutableArray<CheckpointFile>.Builder files = ImmutableArray.CreateBuilder<CheckpointFile>();
        foreach (AdditionalText file in options.AdditionalFiles)
        {
            if (CheckpointManifest.ClassOf(file, options.AnalyzerConfigOptionsProvider) is { } className)
            {
                CheckpointManifest? manifest = CheckpointManifest.Parse(file.GetText(cancellation)?.ToString(), out string error);
                files.Add(new CheckpointFile(className, manifest, error));
            }
        }

        return files.ToImmutable();
    }

    /// <summary>One manifest of the project.</summary>
    private sealed record CheckpointFile(string ClassName, CheckpointManifest? Manifest, string Error);

    private sealed class Session(ImmutableArray<CheckpointFile> files, AnalyzerOptions options, CancellationToken cancellation)
    {
        private readonly ConcurrentDictionary<CheckpointFile, bool> _used = new();
        private readonly Lazy<EquatableArray<ConfigModel>> _configs = new(() => new ConfigFiles(options, cancellation).Models);

        public void AnalyzeClass(SymbolAnalysisContext context)
        {
            var type = (INamedTypeSymbol)context.Symbol;
            if (type.TypeKind != TypeKind.Class || AttributeParser.Find(type) is not { } attribute)
            {
                return;
            }

            string fullName = type.ToDisplayString(SymbolDisplayFormat.CSharpErrorMessageFormat);
            List<CheckpointFile> own = [.. files.Where(file => file.ClassName == type.Name || file.ClassName == fullName)];
            own.ForEach(file => _used.TryAdd(file, true));

            // A class that is itself in error has no shapes to compare.
            if (own.Count == 0
                || AttributeParser.Parse(type, attribute, context.Compilation) is not { } model
                || SpecResolver.Resolve(model, _configs.Value) is not { } spec
                || attribute.ApplicationSyntaxReference?.GetSyntax(context.CancellationToken).GetLocation() is not { } place)
            {
                return;
            }

            foreach (CheckpointFile file in own)
            {
                IEnumerable<Problem> problems = file.Manifest is { } manifest
                    ? CheckpointCheck.Problems(spec, manifest)
                    : [Problem.OnClass(CheckpointRules.UnusableManifest, file.ClassName, file.Error)];
                foreach (Problem problem in problems)
                {
                    context.ReportDiagnostic(Diagnostic.Create(problem.Rule, place, [.. problem.Arguments]));
                }
            }
        }

        public void End(CompilationAnalysisContext context)
        {
            foreach (CheckpointFile file in files.Where(file => !_used.ContainsKey(file)))
            {
                context.ReportDiagnostic(Diagnostic.Create(CheckpointRules.ClassNotFound, Location.None, file.ClassName));
            }
        }
    }
}
