using System.Runtime.InteropServices;
using MlaGen.Runtime;

namespace MlaGen.Tests.Caching;

/// <summary>A layer that is only its shape: latent 4, rope 2, pages of 4 tokens, positions below 64.</summary>
internal sealed class TinyAttention : IMlaAttention<TinyAttention>
{
    public static MlaShape Shape { get; } = new(
        HiddenSize: 8, Heads: 2, QLoraRank: 0, KvLoraRank: 4, QkNopeHeadDim: 4, QkRopeHeadDim: 2, VHeadDim: 4, MaxPositionEmbeddings: 64);

    public int Layer => 0;

    public static TinyAttention Load(ICheckpoint checkpoint, string prefix, int layer) => throw new NotSupportedException("Only the cache is under test.");

    public void Forward(MlaBatch<TinyAttention> batch, ReadOnlySpan<float> hidden, Span<float> output) => throw new NotSupportedException("Only the cache is under test.");

    public static MlaDefinition Definition { get; } = TestDefinitions.With(Shape);
}

/// <summary>The same, for long texts.</summary>
internal sealed class LongAttention : IMlaAttention<LongAttention>
{
    public static MlaShape Shape { get; } = TinyAttention.Shape with { MaxPositionEmbeddings = 8_192 };

    public static MlaDefinition Definition { get; } = TestDefinitions.With(Shape);

    public int Layer => 0;

    public static LongAttention Load(ICheckpoint checkpoint, string prefix, int layer) => throw new NotSupportedException("Only the cache is under test.");

    public void Forward(MlaBatch<LongAttention> batch, ReadOnlySpan<float> hidden, Span<float> output) => throw new NotSupportedException("Only the cache is under test.");
}

/// <summary>Does to a cache what the layers of a model do in a step, without the arithmetic.</summary>
internal static class Steps
{
    /// <summary>What the fake layers write for a token: recognisable in every element.</summary>
    public static float Element(int token, int layer, int element) => (token * 100) + (layer * 10) + element;

    /// <summary>Runs one layer: <paramref name="content"/> of each new row goes into the cache.</summary>
    public static void WriteLayer(this MlaBatch batch, int layer, Func<int, int> content)
    {
        batch.BeginLayer(layer);
        foreach (BatchEntry entry in batch.Entries)
        {
            for (int i = 0; i < entry.NewTokens; i++)
            {
                Span<float> row = MemoryMarshal.Cast<byte, float>(entry.Sequence.Row(layer, entry.Keys - entry.NewTokens + i));
                for (int e = 0; e < row.Length; e++)
                {
                    row[e] = Element(content(entry.FirstRow + i), layer, e);
                }
            }
        }

        batch.MarkLayer(layer);
    }

    public static void WriteAllLayers(this MlaBatch batch, Func<int, int>? content = null)
    {
        for (int layer = 0; layer < batch.Pool.Layers; layer++)
        {
            batch.WriteLayer(layer, content ?? (row => row));
        }
    }

    /// <summary>A whole step of one sequence whose tokens hold <paramref name="first"/>, <paramref name="first"/> + 1, …</summary>
    public static void Append(this MlaBatch batch, LatentSequence sequence, int tokens, int first = 0)
    {
        batch.Add(sequence, tokens);
        batch.WriteAllLayers(row => first + row);
        batch.Commit();
    }

    public static void AssertHolds(this LatentSequence sequence, int token, int layer, int content)
    {
        float[] row = new float[TinyAttention.Shape.CacheRowElements];
        sequence.ReadRow(layer, token, row);
        Assert.Equal(Enumerable.Range(0, row.Length).Select(e => Element(content, layer, e)), row);
    }
}

internal static class TestDefinitions
{
    public static MlaDefinition With(MlaShape shape, float scale = 1, RopeLayout layout = RopeLayout.Interleaved, float frequency = 1) => new()
    {
        Contract = MlaContract.Number,
        Shape = shape,
        Kernels = new MlaKernels { Absorbed = [new NoAbsorbedCore(shape)], Decompressed = [new NoDecompressedCore(shape)] },
        SoftmaxScale = scale,
        LatentNormEpsilon = 1e-6,
        QLatentScale = 1,
        KvLatentScale = 1,
        RopeLayout = layout,
        InverseFrequencies = [.. Enumerable.Repeat(frequency, shape.QkRopeHeadDim / 2)],
        RopeAttentionFactor = 1,
        BreakEvenQueries = 0,
    };

    /// <summary>Pages of four tokens, and no arithmetic.</summary>
    private sealed class NoAbsorbedCore(MlaShape shape) : AbsorbedCore(CoreTarget.Scalar, RowOperand.Float32, new AbsorbedLayout
    {
        BlockTokens = 4,
        ScoreStride = shape.Heads,
        Queries = new QueryPanels([0, shape.Heads], shape.Heads),
        PrefetchTokens = 1,
        MostParts = 1,
        SingleBlockParts = 1,
        PartBlocks = 1,
    })
    {
        public override void Attend(ref AbsorbedBlock block) => throw new NotSupportedException("Only the cache is under test.");
    }

    private sealed class NoDecompressedCore(MlaShape shape) : DecompressedCore(CoreTarget.Scalar, RowOperand.Float32, new DecompressedLayout
    {
        KeyTile = 4,
        ScoreStride = 4,
        KeyStride = shape.QkHeadDim,
        ValueStride = shape.VHeadDim,
        QueryTile = 4,
        QueryPanel = 4,
    })
    {
        public override void Attend(ref DecompressedTile tile) => throw new NotSupportedException("Only the cache is under test.");
    }
}
