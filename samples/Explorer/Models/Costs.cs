using MlaGen;

namespace Explorer.Models;

/// <summary>What the parts of a layer cost; a multiply-add is two operations.</summary>
internal static class Costs
{
    /// <summary>The absorbed core for a cached token: scores over the whole row, values over the latent.</summary>
    public static long AbsorbedOperationsPerToken(MlaShape shape) => 2L * shape.Heads * ((2 * shape.KvLoraRank) + shape.QkRopeHeadDim);

    /// <summary>Keys and values of all heads from a cached token.</summary>
    public static long DecompressionPerToken(MlaShape shape) => 2 * KvBWeights(shape);

    /// <summary>Attention on decompressed keys and values, for a query and a key.</summary>
    public static long DecompressedOperationsPerToken(MlaShape shape) => 2L * shape.Heads * (shape.QkHeadDim + shape.VHeadDim);

    /// <summary>A causal prompt: every token decompressed once, and seen by itself and all that follow.</summary>
    public static long Prefill(MlaShape shape, long tokens) => (DecompressedOperationsPerToken(shape) * (tokens * (tokens + 1) / 2)) + (DecompressionPerToken(shape) * tokens);

    /// <summary>Weights of the layer's four or five matrices.</summary>
    public static long Weights(MlaShape shape) => ProjectionWeights(shape) + KvBWeights(shape);

    /// <summary>Weights of the projections before and behind the attention.</summary>
    public static long ProjectionWeights(MlaShape shape) => Projections(shape).Sum(static projection => (long)projection.Rows * projection.Columns);

    /// <summary>Weights of <c>kv_b_proj</c>, which the absorbed form applies to queries and outputs and the decompressed one to cached tokens.</summary>
    public static long KvBWeights(MlaShape shape) => (long)shape.Heads * (shape.QkNopeHeadDim + shape.VHeadDim) * shape.KvLoraRank;

    /// <summary>The matrices before and behind the attention.</summary>
    public static IEnumerable<(string Name, int Rows, int Columns)> Projections(MlaShape shape)
    {
        int queries = shape.Heads * shape.QkHeadDim;
        if (shape.QLoraRank > 0)
        {
            yield return ("q_a_proj", shape.QLoraRank, shape.HiddenSize);
            yield return ("q_b_proj", queries, shape.QLoraRank);
        }
        else
        {
            yield return ("q_proj", queries, shape.HiddenSize);
        }

        yield return ("kv_a_proj_with_mqa", shape.CacheRowElements, shape.HiddenSize);
        yield return ("o_proj", shape.HiddenSize, shape.Heads * shape.VHeadDim);
    }
}
