using BenchmarkDotNet.Attributes;
using MlaGen.Generator;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace MlaGen.Benchmarks;

/// <summary>What the generator costs the compiler: from nothing, and after an edit that does not concern it, which is nearly every keystroke.</summary>
[MemoryDiagnoser]
public class GeneratorBenchmarks
{
    private const string Layer = """
        using MlaGen;
        namespace Models;
        [MlaAttention(HiddenSize = 7168, Heads = 128, QLoraRank = 1536, MaxPositionEmbeddings = 163840,
            RopeScaling = RopeScaling.Yarn, RopeFactor = 40, OriginalMaxPositionEmbeddings = 4096, Mscale = 1, MscaleAllDim = 1)]
        public sealed partial class DeepSeekV3Attention;
        """;

    private const string Elsewhere = "namespace Models; internal static class Elsewhere { internal const int Answer = 41; }";

    private static readonly CSharpParseOptions _options = new(LanguageVersion.CSharp14);

    private CSharpCompilation _compilation = CSharpCompilation.Create("User");
    private GeneratorDriver _driver = Driver();
    private SyntaxTree _elsewhere = CSharpSyntaxTree.ParseText("");
    private int _edits;

    [GlobalSetup]
    public void Prepare()
    {
        string[] assemblies = ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!).Split(Path.PathSeparator);
        _elsewhere = CSharpSyntaxTree.ParseText(Elsewhere, _options);
        _compilation = CSharpCompilation.Create(
            "User",
            [CSharpSyntaxTree.ParseText(Layer, _options), _elsewhere],
            assemblies.Where(static path => Path.GetFileName(path) is "MlaGen.dll" || Path.GetFileName(path).StartsWith("System.", StringComparison.Ordinal)).Select(static path => MetadataReference.CreateFromFile(path)),
            new CSharpCompilationOptions(OutputKind.DynamicallyLinkedLibrary));
        _driver = Driver().RunGenerators(_compilation);
        if (_driver.GetRunResult().GeneratedTrees.IsEmpty)
        {
            throw new InvalidOperationException("Nothing was generated: the benchmarks would measure nothing.");
        }
    }

    [Benchmark]
    public GeneratorDriver FreshDriver() => Driver().RunGenerators(_compilation);

    [Benchmark]
    public GeneratorDriver EditElsewhere()
    {
        // A new text each time: the driver knows a compilation that it has seen.
        SyntaxTree edited = CSharpSyntaxTree.ParseText(Elsewhere.Replace("41", (++_edits).ToString(System.Globalization.CultureInfo.InvariantCulture), StringComparison.Ordinal), _options);
        return _driver.RunGenerators(_compilation.ReplaceSyntaxTree(_elsewhere, edited));
    }

    private static CSharpGeneratorDriver Driver() => CSharpGeneratorDriver.Create([new MlaGenerator().AsSourceGenerator()], parseOptions: _options);
}
