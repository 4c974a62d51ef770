using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Diagnostics;
using MlaGen.Generator.Model;

namespace MlaGen.Generator.Analyzers;

/// <summary>
/// Stands in for the analyzers in a build that runs none (<c>RunAnalyzers</c>, <c>RunAnalyzersDuringBuild</c>): a class that is left out would otherwise
/// be left out in silence. It asks the same functions, and tells errors alone.
/// </summary>
internal static class Substitute
{
    /// <summary>Whether the build says that it runs no analyzers: as the SDK decides it.</summary>
    public static bool IsNeeded(AnalyzerConfigOptions options)
    {
        string run = Property("RunAnalyzers");
        return IsFalse(run) || (run.Length == 0 && (IsFalse(Property("RunAnalyzersDuringBuild")) || IsImplicit()));

        // What an IDE builds before it runs tests or a program.
        bool IsImplicit() => IsTrue(Property("IsImplicitlyTriggeredBuild"))
            && !IsFalse(Property("OptimizeImplicitlyTriggeredBuild"))
            && (!IsTrue(Property("TreatWarningsAsErrors")) || IsTrue(Property("OptimizeImplicitlyTriggeredBuild")));

        string Property(string name) => options.TryGetValue("build_property." + name, out string? value) ? value : string.Empty;

        static bool IsFalse(string value) => string.Equals(value, "false", StringComparison.OrdinalIgnoreCase);

        static bool IsTrue(string value) => string.Equals(value, "true", StringComparison.OrdinalIgnoreCase);
    }

    /// <summary>What the analyzers would say about classes with the attribute and the configurations they use.</summary>
    public static IEnumerable<Diagnostic> Diagnose(IEnumerable<string> classes, Compilation compilation, AnalyzerOptions options, CancellationToken cancellation)
    {
        var files = new ConfigFiles(options, cancellation);
        EquatableArray<ConfigModel> configs = files.Models;
        foreach (INamedTypeSymbol type in classes.Distinct().Select(compilation.Assembly.GetTypeByMetadataName).OfType<INamedTypeSymbol>())
        {
            foreach (Diagnostic diagnostic in MlaAttentionAnalyzer.Diagnose(type, compilation, configs, cancellation).Concat(files.OfUse(type, compilation, cancellation)))
            {
                yield return diagnostic;
            }
        }

        foreach (AdditionalText file in options.AdditionalFiles)
        {
            foreach (Diagnostic diagnostic in files.OfFile(file, cancellation).Where(static diagnostic => diagnostic.DefaultSeverity == DiagnosticSeverity.Error))
            {
                yield return diagnostic;
            }
        }
    }
}
