using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.Text;
using MlaGen.Generator.Analyzers;
using MlaGen.Generator.Diagnostics;

namespace MlaGen.Generator.Tests.Infrastructure;

/// <summary>Compilations as a strict user's project makes them, and the generator and its analyzer run on them in this process.</summary>
internal static class Compilations
{
    /// <summary>.NET and the MlaGen runtime that this test runs on.</summary>
    public static readonly ImmutableArray<MetadataReference> References =
    [
        .. ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!)
            .Split(Path.PathSeparator)
            .Where(static path => IsReferenced(Path.GetFileNameWithoutExtension(path)))
            .Select(static path => MetadataReference.CreateFromFile(path)),
    ];

    /// <summary>The language of a net10.0 project, with XML documentation checked.</summary>
    public static readonly CSharpParseOptions ParseOptions = new(LanguageVersion.CSharp14, DocumentationMode.Diagnose);

    /// <summary>Nullable, every warning there is, each an error, and no unsafe code.</summary>
    public static readonly CSharpCompilationOptions Options = new(
        OutputKind.DynamicallyLinkedLibrary,
        nullableContextOptions: NullableContextOptions.Enable,
        generalDiagnosticOption: ReportDiagnostic.Error,
        warningLevel: 9999);

    public static CSharpCompilation Create(params IEnumerable<string> sources)
        => CSharpCompilation.Create("User", sources.Select(static source => CSharpSyntaxTree.ParseText(source, ParseOptions)), References, Options);

    public static GeneratorDriver Driver() => CSharpGeneratorDriver.Create(
        [new MlaGenerator().AsSourceGenerator()],
        parseOptions: ParseOptions,
        driverOptions: new GeneratorDriverOptions(IncrementalGeneratorOutputKind.None, trackIncrementalGeneratorSteps: true));

    public static GeneratorRunResult Generate(Compilation compilation)
    {
        GeneratorRunResult result = Driver().RunGenerators(compilation).GetRunResult().Results.Single();
        Assert.Null(result.Exception);
        return result;
    }

    /// <summary>The compilation with what was generated from it.</summary>
    public static CSharpCompilation With(this CSharpCompilation compilation, GeneratorRunResult result)
        => compilation.AddSyntaxTrees(result.GeneratedSources.Select(static source => CSharpSyntaxTree.ParseText(source.SourceText, ParseOptions, source.HintName)));

    /// <summary>What the analyzer reports.</summary>
    public static async Task<ImmutableArray<Diagnostic>> Analyze(Compilation compilation)
    {
        CompilationWithAnalyzersOptions options = new(
            new AnalyzerOptions([]),
            onAnalyzerException: static (exception, _, _) => throw exception,
            concurrentAnalysis: false,
            logAnalyzerExecutionTime: false);
        return await compilation.WithAnalyzers([new MlaAttentionAnalyzer()], options).GetAnalyzerDiagnosticsAsync();
    }

    /// <summary>The compiler has nothing to say about any declaration or body, hidden diagnostics aside.</summary>
    public static void AssertCompiles(Compilation compilation)
        => Assert.Empty(compilation.GetDiagnostics().Where(static diagnostic => diagnostic.Severity != DiagnosticSeverity.Hidden));

    private static bool IsReferenced(string assembly)
        => assembly is "MlaGen" or "mscorlib" or "netstandard" || assembly.StartsWith("System.", StringComparison.Ordinal);
}
