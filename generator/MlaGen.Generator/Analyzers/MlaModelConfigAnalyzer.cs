using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Diagnostics;
using MlaGen.Generator.Configs;

namespace MlaGen.Generator.Analyzers;

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
            start.RegisterAdditionalFileAction(file =>
            {
                foreach (Diagnostic diagnostic in files.OfFile(file.AdditionalFile, file.CancellationToken))
                {
                    file.ReportDiagnostic(diagnostic);
                }
            });
            start.RegisterSymbolAction(
                symbol =>
                {
                    foreach (Diagnostic diagnostic in files.OfUse((INamedTypeSymbol)symbol.Symbol, symbol.Compilation, symbol.CancellationToken))
                    {
                        symbol.ReportDiagnostic(diagnostic);
                    }
                },
                SymbolKind.NamedType);
        });
    }
}
