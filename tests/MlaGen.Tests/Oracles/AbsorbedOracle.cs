using System.Numerics.Tensors;

namespace MlaGen.Tests.Oracles;

/// <summary>MLA on the latents themselves: the key half of <c>kv_b_proj</c> moves into the queries, the value half behind the sum.</summary>
internal static class AbsorbedOracle
{
    public static OracleResult Forward(OracleSpec spec, OracleWeights weights, ReadOnlySpan<float> hidden, ReadOnlySpan<int> positions)
    {
        int tokens = positions.Length;
        OracleProjections projections = OracleProjections.Compute(spec, weights, hidden, positions);
        var rows = new double[tokens * spec.RowWidth];
        for (int token = 0; token < tokens; token++)
        {
            projections.Latent.AsSpan(token * spec.KvLoraRank, spec.KvLoraRank).CopyTo(rows.AsSpan(token * spec.RowWidth));
            projections.KRope.AsSpan(token * spec.QkRopeHeadDim, spec.QkRopeHeadDim).CopyTo(rows.AsSpan((token * spec.RowWidth) + spec.KvLoraRank));
        }

        return Complete(spec, weights, projections, rows);
    }

    /// <summary>The same where the rows are those that a cache holds, in its format: all of them, those of the tokens themselves last.</summary>
    public static OracleResult Forward(OracleSpec spec, OracleWeights weights, ReadOnlySpan<float> hidden, ReadOnlySpan<int> positions, ReadOnlySpan<float> rows)
        => Complete(spec, weights, OracleProjections.Compute(spec, weights, hidden, positions), OracleMath.Widen(rows));

    /// <summary>
    /// The core alone. Query i of n sees the first <c>k - n + i + 1</c> of k rows; one that sees none gives zeros and negative infinity.
    /// </summary>
    /// <param name="spec">Only heads, widths and the softmax scale matter.</param>
    /// <param name="queries"><c>[queryTokens, heads, latent + rope]</c>, absorbed, unscaled.</param>
    /// <param name="queryTokens">n.</param>
    /// <param name="rows"><c>[k, latent + rope]</c>.</param>
    public static LatentAttention Attend(OracleSpec spec, double[] queries, int queryTokens, double[] rows)
    {
        int width = spec.RowWidth;
        int keys = rows.Length / width;
        var output = new double[queryTokens * spec.Heads * spec.KvLoraRank];
        var logSumExp = new double[queryTokens * spec.Heads];
        var maxScores = new double[logSumExp.Length];
        Parallel.For(0, logSumExp.Length, column =>
        {
            int query = column / spec.Heads;
            Span<double> scores = new double[Math.Max(0, keys - queryTokens + query + 1)];
            for (int key = 0; key < scores.Length; key++)
            {
                scores[key] = spec.SoftmaxScale * TensorPrimitives.Dot(queries.AsSpan(column * width, width), rows.AsSpan(key * width, width));
            }

            maxScores[column] = OracleMath.MaxMagnitude(scores);
            logSumExp[column] = OracleMath.Softmax(scores);
            Span<double> result = output.AsSpan(column * spec.KvLoraRank, spec.KvLoraRank);
            for (int key = 0; key < scores.Length; key++)
            {
                OracleMath.AddScaled(rows.AsSpan(key * width, spec.KvLoraRank), scores[key], result);
            }
        });
        return new LatentAttention(output, logSumExp, OracleMath.MaxMagnitude(maxScores));
    }

    /// <summary><c>[q_nope · W_UK, q_rope]</c> of each head: <c>[tokens, heads, latent + rope]</c>.</summary>
    public static double[] Absorb(OracleSpec spec, OracleWeights weights, double[] queries)
    {
        int tokens = queries.Length / (spec.Heads * spec.QkHeadDim);
        var absorbed = new double[tokens * spec.Heads * spec.RowWidth];
        Parallel.For(0, spec.Heads, head =>
        {
            for (int dimension = 0; dimension < spec.QkNopeHeadDim; dimension++)
            {
                double[] weight = UpProjectionRow(spec, weights, head, dimension);
                for (int token = 0; token < tokens; token++)
                {
                    int column = (token * spec.Heads) + head;
                    OracleMath.AddScaled(weight, queries[(column * spec.QkHeadDim) + dimension], absorbed.AsSpan(column * spec.RowWidth, spec.KvLoraRank));
                }
            }

            for (int token = 0; token < tokens; token++)
            {
                int column = (token * spec.Heads) + head;
                queries.AsSpan((column * spec.QkHeadDim) + spec.QkNopeHeadDim, spec.QkRopeHeadDim)
                    .CopyTo(absorbed.AsSpan((column * spec.RowWidth) + spec.KvLoraRank));
            }
        });
        return absorbed;
    }

    private static OracleResult Complete(OracleSpec spec, OracleWeights weights, OracleProjections projections, double[] rows)
    {
        int tokens = projections.Queries.Length / (spec.Heads * spec.QkHeadDim);
        LatentAttention core = Attend(spec, Absorb(spec, weights, projections.Queries), tokens, rows);
        double[] attention = ExpandValues(spec, weights, core.Output, tokens);
        for (int i = 0; weights.Sinks is not null && i < attention.Length; i++)
        {
            int column = i / spec.VHeadDim;
            attention[i] /= 1 + Math.Exp(weights.Sinks[column % spec.Heads] - core.LogSumExp[column]);
        }

        projections.Gate(attention);
        double[] output = OracleMath.Linear(attention, spec.Heads * spec.VHeadDim, weights.OProj, weights.OProjBias);
        return new OracleResult(output, projections.Latent, projections.KRope, attention, core.MaxScore);
    }

    private static double[] ExpandValues(OracleSpec spec, OracleWeights weights, double[] latents, int tokens)
    {
        var values = new double[tokens * spec.Heads * spec.VHeadDim];
        Parallel.For(0, spec.Heads, head =>
        {
            for (int dimension = 0; dimension < spec.VHeadDim; dimension++)
            {
                double[] weight = UpProjectionRow(spec, weights, head, spec.QkNopeHeadDim + dimension);
                for (int token = 0; token < tokens; token++)
                {
                    int column = (token * spec.Heads) + head;
                    values[(column * spec.VHeadDim) + dimension] = TensorPrimitives.Dot(latents.AsSpan(column * spec.KvLoraRank, spec.KvLoraRank), weight);
                }
            }
        });
        return values;
    }

    /// <summary>Row <paramref name="dimension"/> of a head's block of <c>kv_b_proj</c>: its nope rows come first, then its value rows.</summary>
    private static double[] UpProjectionRow(OracleSpec spec, OracleWeights weights, int head, int dimension)
    {
        int row = (head * (spec.QkNopeHeadDim + spec.VHeadDim)) + dimension;
        return OracleMath.Widen(weights.KvBProj.AsSpan(row * spec.KvLoraRank, spec.KvLoraRank));
    }
}

/// <summary>What attention on latents gives.</summary>
/// <param name="Output"><c>[queries, heads, latent]</c>.</param>
/// <param name="LogSumExp"><c>[queries, heads]</c>, natural logarithm, of the scaled scores.</param>
/// <param name="MaxScore">The largest magnitude among the scaled scores.</param>
internal sealed record LatentAttention(double[] Output, double[] LogSumExp, double MaxScore);
