using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.Testing;
using Microsoft.CodeAnalysis.Text;
using MlaGen.Generator.Analyzers;
using MlaGen.Generator.CallSites;
using MlaGen.Generator.Configs;
using MlaGen.Generator.Diagnostics;
using MlaGen.Generator.Tests.Infrastructure;

namespace MlaGen.Generator.Tests.CallSites;

/// <summary>Code that uses generated classes, and every analyzer run on it in this process.</summary>
internal static class CallSiteProject
{
    private static readonly Lazy<MetadataReference> _models = new(Models);

    private static readonly Lazy<ImmutableArray<DiagnosticAnalyzer>> _analyzers = new(() =>
    [
        new MlaAttentionAnalyzer(),
        new MlaModelConfigAnalyzer(),
        .. typeof(CallSiteAnalyzer).Assembly.GetTypes()
            .Where(static type => type.IsSubclassOf(typeof(CallSiteAnalyzer)))
            .Select(static type => (DiagnosticAnalyzer)Activator.CreateInstance(type)!),
    ]);

    /// <summary>The analyzers of a build.</summary>
    public static ImmutableArray<DiagnosticAnalyzer> Analyzers => _analyzers.Value;

    /// <summary>A library of two generated classes: Models.Attention, the story model's, and Models.Other, smaller and with biases.</summary>
    public static MetadataReference Library => _models.Value;

    /// <summary>A program against the library, as a user's project compiles it; warnings are left to those who ask.</summary>
    public static CSharpCompilation Program(params IEnumerable<string> sources)
    {
        SyntaxTree[] trees = [.. sources.Select(static source => CSharpSyntaxTree.ParseText(source, Compilations.ParseOptions))];
        bool hasStatements = trees.Any(static tree => tree.GetRoot().ChildNodes().Any(static node => node is GlobalStatementSyntax));
        return CSharpCompilation.Create(
            "Program",
            trees,
            Compilations.References.Add(Library),
            Compilations.Options.WithOutputKind(hasStatements ? OutputKind.ConsoleApplication : OutputKind.DynamicallyLinkedLibrary));
    }

    /// <summary>What the analyzers report, in the order of the source.</summary>
    public static async Task<ImmutableArray<Diagnostic>> Analyze(Compilation compilation, AnalyzerOptions? files = null)
    {
        CompilationWithAnalyzersOptions options = new(
            files ?? new AnalyzerOptions([]),
            onAnalyzerException: static (exception, _, _) => throw exception,
            concurrentAnalysis: true,
            logAnalyzerExecutionTime: false);
        ImmutableArray<Diagnostic> found = await compilation.WithAnalyzers(Analyzers, options).GetAnalyzerDiagnosticsAsync();
        return [.. found.OrderBy(static diagnostic => diagnostic.Location.SourceSpan.Start).ThenBy(static diagnostic => diagnostic.Id, StringComparer.Ordinal)];
    }

    /// <summary>The body of a method in which layers, a cache, sequences and buffers are at hand; {|MLA0300:this|} is where a diagnostic is expected.</summary>
    public static string Method(string body)
        => $$"""
            using System;
            using System.Collections.Generic;
            using System.Linq;
            using MlaGen;
            using Models;

            internal static class Program
            {
                private static void Keep(object thing) => Console.WriteLine(thing);

                private static void Run(Attention layer, Attention[] layers, Other other, LatentCache<Attention> cache, LatentSequence sequence, LatentSequence[] sequences, MlaBatch<Attention> given, float[] hidden, float[] output, int n)
                {
                    {{body}}
                }
            }
            """;

    /// <summary>Checks that the diagnostics are those of the markup, no more and no fewer, and their messages.</summary>
    public static async Task Verify(string markup, params string[] messages)
    {
        TestFileMarkupParser.GetSpans(markup, out string source, out ImmutableDictionary<string, ImmutableArray<TextSpan>> spans);
        CSharpCompilation program = Program(source);
        Assert.Empty(program.GetDiagnostics().Where(static diagnostic => diagnostic.DefaultSeverity == DiagnosticSeverity.Error));

        ImmutableArray<Diagnostic> found = await Analyze(program);
        Assert.Equal(
            spans.SelectMany(static pair => pair.Value.Select(span => (pair.Key, Text: span))).Select(pair => $"{pair.Key} at {source.Substring(pair.Text.Start, pair.Text.Length)}").Order(StringComparer.Ordinal),
            found.Select(diagnostic => $"{diagnostic.Id} at {source.Substring(diagnostic.Location.SourceSpan.Start, diagnostic.Location.SourceSpan.Length)}").Order(StringComparer.Ordinal));
        if (messages.Length > 0)
        {
            Assert.Equal(messages, found.Select(static diagnostic => diagnostic.GetMessage(System.Globalization.CultureInfo.InvariantCulture)));
        }
    }

    private static PortableExecutableReference Models()
    {
        const string Other = "HiddenSize = 64, Heads = 2, QLoraRank = 16, KvLoraRank = 32, QkNopeHeadDim = 8, QkRopeHeadDim = 8, VHeadDim = 8, AttentionBias = true";
        CSharpCompilation library = Compilations.Create(Shapes.Source("Attention", Shapes.Story), Shapes.Source("Other", Other)).WithAssemblyName("Models");
        using var image = new MemoryStream();
        Assert.True(library.With(Compilations.Generate(library)).WithOptions(Compilations.Options.WithGeneralDiagnosticOption(ReportDiagnostic.Suppress)).Emit(image).Success);
        return MetadataReference.CreateFromImage(image.ToArray());
    }
}
