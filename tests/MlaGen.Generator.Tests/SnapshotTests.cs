using Microsoft.CodeAnalysis;
using MlaGen.Generator.Tests.Infrastructure;

namespace MlaGen.Generator.Tests;

/// <summary>The emitted text as a reviewer reads it: all of one model and of one odd shape; of other models the class and the kernels' plan, in which they differ.</summary>
public class SnapshotTests
{
    [Fact]
    public void DeepSeek_V3() => Snapshot.Verify(Generate("DeepSeekV3Attention", Shapes.DeepSeekV3));

    [Fact]
    public void Odd_shape() => Snapshot.Verify(Generate("OddAttention", Shapes.Odd));

    /// <summary>Cores of machine code alone: the listing beside the bytes is what a reader sees.</summary>
    [Fact]
    public void Machine_code() => Snapshot.Verify(
        Generate("MatrixAttention", "HiddenSize = 256, Heads = 20, KvLoraRank = 64, QkRopeHeadDim = 32, Precision = MlaPrecision.Medium"),
        static hintName => hintName.Contains("MachineCode.Decode.A", StringComparison.Ordinal) || hintName.Contains("MachineCode.Prefill.A", StringComparison.Ordinal) || hintName.EndsWith("MachineCode.g.cs", StringComparison.Ordinal));

    [Fact]
    public void Story_model() => Snapshot.Verify(Generate("StoryAttention", Shapes.Story), IsClassOrPlan);

    [Fact]
    public void MiniCPM3() => Snapshot.Verify(Generate("MiniCpm3Attention", Shapes.MiniCpm3), IsClassOrPlan);

    [Fact]
    public void GLM_4_7_Flash() => Snapshot.Verify(Generate("Glm47FlashAttention", Shapes.Glm47Flash), IsClassOrPlan);

    [Fact]
    public void Gate_and_sinks() => Snapshot.Verify(Generate("GatedAttention", Shapes.Gated), IsClass);

    [Fact]
    public void Gate_through_the_query() => Snapshot.Verify(Generate("QueryGatedAttention", Shapes.QueryGated), IsClass);

    [Fact]
    public void Shared_selections() => Snapshot.Verify(Generate("SparseAttention", Shapes.Sparse), IsClass);

    [Fact]
    public void Pools() => Snapshot.Verify(Generate("PooledAttention", Shapes.Pooled), IsClass);

    private static bool IsClass(string hintName) => !hintName.Contains("Kernels-", StringComparison.Ordinal);

    private static GeneratorRunResult Generate(string name, string attribute) => Compilations.Generate(Compilations.Create(Shapes.Source(name, attribute)));

    private static bool IsClassOrPlan(string hintName)
        => !hintName.Contains(".Decode.", StringComparison.Ordinal) && !hintName.Contains(".Prefill.", StringComparison.Ordinal) && !hintName.Contains(".Weights.", StringComparison.Ordinal);
}
