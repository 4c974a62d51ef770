namespace MlaGen.Tests.Oracles;

/// <summary>What both oracles start from: each token's queries, and the row that a cache would keep of it.</summary>
/// <param name="Queries"><c>[tokens, heads, nope + rope]</c>, turned to their positions, not yet scaled for the softmax.</param>
/// <param name="Latent"><c>[tokens, latent]</c>, normalised.</param>
/// <param name="KRope"><c>[tokens, rope]</c>, turned to their positions.</param>
internal sealed record OracleProjections(double[] Queries, double[] Latent, double[] KRope)
{
    public static OracleProjections Compute(OracleSpec spec, OracleWeights weights, ReadOnlySpan<float> hidden, ReadOnlySpan<int> positions)
    {
        double[] input = OracleMath.Widen(hidden);
        float[] frequencies = spec.Rope.InverseFrequencies(spec.QkRopeHeadDim);
        double[] queries = ProjectQueries(spec, weights, input);
        double[] rows = OracleMath.Linear(input, spec.HiddenSize, weights.KvAProjWithMqa, weights.KvAProjWithMqaBias);
        var latent = new double[positions.Length * spec.KvLoraRank];
        var kRope = new double[positions.Length * spec.QkRopeHeadDim];
        for (int token = 0; token < positions.Length; token++)
        {
            for (int head = 0; head < spec.Heads; head++)
            {
                Span<double> query = queries.AsSpan(((token * spec.Heads) + head) * spec.QkHeadDim, spec.QkHeadDim);
                spec.Rope.Rotate(query[spec.QkNopeHeadDim..], positions[token], frequencies);
                foreach (ref double element in query)
                {
                    element *= spec.QueryPositionScale(positions[token]);
                }
            }

            ReadOnlySpan<double> row = rows.AsSpan(token * spec.RowWidth, spec.RowWidth);
            row[..spec.KvLoraRank].CopyTo(latent.AsSpan(token * spec.KvLoraRank));
            Span<double> key = kRope.AsSpan(token * spec.QkRopeHeadDim, spec.QkRopeHeadDim);
            row[spec.KvLoraRank..].CopyTo(key);
            spec.Rope.Rotate(key, positions[token], frequencies);
        }

        OracleMath.Normalise(latent, spec.KvLoraRank, weights.KvALayernorm, spec.LatentNormEpsilon, spec.KeyLatentScale);
        return new OracleProjections(queries, latent, kRope);
    }

    private static double[] ProjectQueries(OracleSpec spec, OracleWeights weights, double[] input)
    {
        if (spec.QLoraRank == 0)
        {
            return OracleMath.Linear(input, spec.HiddenSize, weights.QProj!);
        }

        double[] latent = OracleMath.Linear(input, spec.HiddenSize, weights.QAProj!, weights.QAProjBias);
        OracleMath.Normalise(latent, spec.QLoraRank, weights.QALayernorm!, spec.LatentNormEpsilon, spec.QueryLatentScale);
        return OracleMath.Linear(latent, spec.QLoraRank, weights.QBProj!);
    }
}
