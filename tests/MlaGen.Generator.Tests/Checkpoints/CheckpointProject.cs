using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.Text;
using MlaGen.Build;
using MlaGen.Generator.Analyzers;
using MlaGen.Generator.Checkpoints;
using MlaGen.Generator.Tests.Infrastructure;

namespace MlaGen.Generator.Tests.Checkpoints;

/// <summary>A user's project with manifests of checkpoints: the analyzer runs on it in this process.</summary>
internal sealed class CheckpointProject(string source, params (string Class, string? Manifest)[] checkpoints)
{
    /// <summary>A layer with a query latent.</summary>
    public const string OneClass =
        """
        using MlaGen;
        namespace Demo;
        [MlaAttention(HiddenSize = 256, Heads = 8, QLoraRank = 128, KvLoraRank = 64, QkNopeHeadDim = 32, QkRopeHeadDim = 16, VHeadDim = 32)]
        public sealed partial class Model;
        """;

    /// <summary>The tensors that it loads, in four layers, as name, type and shape.</summary>
    public static readonly ImmutableArray<string> Tensors =
    [
        "q_a_proj.weight BF16 [128, 256]",
        "q_a_layernorm.weight BF16 [128]",
        "q_b_proj.weight BF16 [384, 128]",
        "kv_a_proj_with_mqa.weight BF16 [80, 256]",
        "kv_a_layernorm.weight BF16 [64]",
        "kv_b_proj.weight BF16 [512, 64]",
        "o_proj.weight BF16 [256, 256]",
    ];

    /// <summary>A manifest of these tensors, in layers 0 to 3 unless a fourth word says otherwise.</summary>
    public static string Manifest(params IEnumerable<string> tensors)
        => $"{ManifestFormat.Header}\nmodel\n" + string.Concat(tensors.Select(static tensor =>
        {
            int shape = tensor.IndexOf('[', StringComparison.Ordinal);
            int end = tensor.IndexOf(']', StringComparison.Ordinal) + 1;
            string[] words = tensor[..shape].Split(' ');
            string layers = end == tensor.Length ? "0-3" : tensor[(end + 1)..];
            return $"model.layers.*.self_attn.{words[0]}\t{words[1]}\t{tensor[shape..end]}\t{layers}\n";
        }));

    /// <summary>The tensors with the one of that name replaced.</summary>
    public static IEnumerable<string> With(string name, params string[] replacement)
        => Tensors.Where(tensor => !tensor.StartsWith(name + " ", StringComparison.Ordinal)).Concat(replacement);

    /// <summary>What the analyzer says of <see cref="OneClass"/> and a checkpoint of these tensors.</summary>
    public static async Task<string[]> Check(params IEnumerable<string> tensors)
        => [.. (await new CheckpointProject(OneClass, ("Model", Manifest(tensors))).Analyze()).Select(static diagnostic => $"{diagnostic.Id} {diagnostic.GetMessage(null)}")];

    public Task<ImmutableArray<Diagnostic>> Analyze()
    {
        CompilationWithAnalyzersOptions options = new(
            new AnalyzerOptions([.. checkpoints.Select(static (checkpoint, index) => new ManifestFile(checkpoint.Class, $"/obj/{index}.mlacheckpoint", checkpoint.Manifest))], new FileOptions()),
            onAnalyzerException: static (exception, _, _) => throw exception,
            concurrentAnalysis: true,
            logAnalyzerExecutionTime: false);
        return Compilations.Create(source).WithAnalyzers([new MlaCheckpointAnalyzer()], options).GetAnalyzerDiagnosticsAsync();
    }

    private sealed class ManifestFile(string className, string path, string? text) : AdditionalText
    {
        public string ClassName { get; } = className;

        public override string Path { get; } = path;

        public override SourceText? GetText(CancellationToken cancellationToken = default) => text is null ? null : SourceText.From(text);
    }

    /// <summary>What MSBuild passes to the compiler about each file.</summary>
    private sealed class FileOptions : AnalyzerConfigOptionsProvider
    {
        public override AnalyzerConfigOptions GlobalOptions { get; } = new Values(null);

        public override AnalyzerConfigOptions GetOptions(SyntaxTree tree) => GlobalOptions;

        public override AnalyzerConfigOptions GetOptions(AdditionalText textFile) => new Values((textFile as ManifestFile)?.ClassName);
    }

    private sealed class Values(string? className) : AnalyzerConfigOptions
    {
        public override bool TryGetValue(string key, [NotNullWhen(true)] out string? value)
        {
            value = key == CheckpointManifest.ClassOption ? className : null;
            return value is not null;
        }
    }
}
