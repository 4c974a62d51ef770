using System.Runtime.InteropServices;
using MlaGen.Runtime;

namespace MlaGen.Tests.Caching;

/// <summary>A layer that is only its shape: latent 4, rope 2, pages of 4 tokens, positions below 64.</summary>
internal sealed class TinyAttention : CacheOnly<TinyAttention>, IMlaAttention<TinyAttention>
{
    public static MlaDefinition Definition { get; } = new TestDefinition(new MlaShape(
        HiddenSize: 8, Heads: 2, QLoraRank: 0, KvLoraRank: 4, QkNopeHeadDim: 4, QkRopeHeadDim: 2, VHeadDim: 4, MaxPositionEmbeddings: 64)).Build();
}

/// <summary>The same, for long texts.</summary>
internal sealed class LongAttention : CacheOnly<LongAttention>, IMlaAttention<LongAttention>
{
    public static MlaDefinition Definition { get; } = new TestDefinition(TinyAttention.Shape with { MaxPositionEmbeddings = 8_192 }).Build();
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
                Span<float> row = MemoryMarshal.Cast<byte, float>(entry.Sequence.Row(entry.Sequence.Pool.Attended, layer, entry.Keys - entry.NewTokens + i));
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
