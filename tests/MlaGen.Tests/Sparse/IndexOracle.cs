using MlaGen.Tests.Oracles;

namespace MlaGen.Tests.Sparse;

/// <summary>A sparse indexer in double precision, formula by formula.</summary>
internal sealed record IndexOracle(OracleSpec Spec, int TopK, int Heads, int HeadDim, RopeLayout Layout, bool RotatesLast, double NormEpsilon)
{
    /// <summary>Index keys of tokens <c>[tokens][width]</c>.</summary>
    public double[][] Keys(IReadOnlyDictionary<string, WeightTensor> weights, ReadOnlySpan<float> hidden, ReadOnlySpan<int> positions)
    {
        double[][] keys = [.. OracleMath.Linear(OracleMath.Widen(hidden), Spec.HiddenSize, weights["indexer.wk.weight"].Values).Chunk(HeadDim)];
        float[] weight = weights["indexer.k_norm.weight"].Values;
        float[] bias = weights["indexer.k_norm.bias"].Values;
        for (int token = 0; token < keys.Length; token++)
        {
            double mean = keys[token].Average();
            double variance = keys[token].Average(value => (value - mean) * (value - mean));
            keys[token] = [.. keys[token].Select((value, i) => ((value - mean) / Math.Sqrt(variance + NormEpsilon) * weight[i]) + bias[i])];
            Rotate(keys[token], positions[token]);
        }

        return keys;
    }

    /// <summary>Index queries of tokens <c>[tokens][heads · width]</c>.</summary>
    public double[][] Queries(IReadOnlyDictionary<string, WeightTensor> weights, ReadOnlySpan<float> hidden, ReadOnlySpan<int> positions)
    {
        double[] latent = OracleMath.Linear(OracleMath.Widen(hidden), Spec.HiddenSize, weights["q_a_proj.weight"].Values);
        OracleMath.Normalise(latent, Spec.QLoraRank, weights["q_a_layernorm.weight"].Values, Spec.LatentNormEpsilon, 1);
        double[][] queries = [.. OracleMath.Linear(latent, Spec.QLoraRank, weights["indexer.wq_b.weight"].Values).Chunk(Heads * HeadDim)];
        for (int token = 0; token < queries.Length; token++)
        {
            for (int head = 0; head < Heads; head++)
            {
                Rotate(queries[token].AsSpan(head * HeadDim, HeadDim), positions[token]);
            }
        }

        return queries;
    }

    /// <summary>Weights of the index heads of tokens, as the projection makes them.</summary>
    public double[][] HeadWeights(IReadOnlyDictionary<string, WeightTensor> weights, ReadOnlySpan<float> hidden)
        => [.. OracleMath.Linear(OracleMath.Widen(hidden), Spec.HiddenSize, weights["indexer.weights_proj.weight"].Values).Chunk(Heads)];

    /// <summary>The score of a key.</summary>
    public double Score(double[] query, double[] headWeights, double[] key)
    {
        double score = 0;
        for (int head = 0; head < Heads; head++)
        {
            double product = 0;
            for (int i = 0; i < HeadDim; i++)
            {
                product += query[(head * HeadDim) + i] * key[i];
            }

            score += headWeights[head] / Math.Sqrt(Heads) * Math.Max(0, product / Math.Sqrt(HeadDim));
        }

        return score;
    }

    /// <summary>The tokens that each query of a sequence selects, in ascending order.</summary>
    public int[][] Select(IReadOnlyDictionary<string, WeightTensor> weights, ReadOnlySpan<float> hidden, ReadOnlySpan<int> positions)
    {
        double[][] keys = Keys(weights, hidden, positions);
        double[][] queries = Queries(weights, hidden, positions);
        double[][] headWeights = HeadWeights(weights, hidden);
        return [.. Enumerable.Range(0, keys.Length).Select(query => Enumerable.Range(0, query + 1)
            .OrderByDescending(key => Score(queries[query], headWeights[query], keys[key])).ThenBy(static key => key).Take(TopK).Order().ToArray())];
    }

    /// <summary>Keys of whole pools: element by element the sum of a pool's keys, weighed by a softmax over its tokens.</summary>
    /// <param name="keys">Keys of tokens <c>[tokens][width]</c>.</param>
    /// <param name="gates">What weighs them, before the place in the pool adds its own <c>[tokens][width]</c>.</param>
    /// <param name="embedding">What the place adds <c>[poolTokens, width]</c>.</param>
    public static double[][] Pool(double[][] keys, double[][] gates, float[] embedding)
    {
        int width = keys[0].Length;
        int poolTokens = embedding.Length / width;
        return [.. Enumerable.Range(0, keys.Length / poolTokens).Select(pool => Enumerable.Range(0, width).Select(d =>
        {
            double[] logits = [.. Enumerable.Range(0, poolTokens).Select(token => gates[(pool * poolTokens) + token][d] + embedding[(token * width) + d])];
            OracleMath.Softmax(logits);
            return Enumerable.Range(0, poolTokens).Sum(token => logits[token] * keys[(pool * poolTokens) + token][d]);
        }).ToArray())];
    }

    private void Rotate(Span<double> values, int position)
    {
        if (Spec.QkRopeHeadDim == 0)
        {
            return;
        }

        OracleRope rope = Spec.Rope with { Layout = Layout };
        Span<double> part = RotatesLast ? values[^Spec.QkRopeHeadDim..] : values[..Spec.QkRopeHeadDim];
        rope.Rotate(part, position, rope.InverseFrequencies(Spec.QkRopeHeadDim));
    }
}
