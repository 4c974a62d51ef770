namespace MlaGen.Tests.Oracles;

/// <summary>What both oracles start from: each token's queries, and the row that a cache would keep of it.</summary>
/// <param name="Queries"><c>[tokens, heads, nope + rope]</c>, turned to their positions, not yet scaled for the softmax.</param>
/// <param name="Latent"><c>[tokens, latent]</c>, normalised.</param>
/// <param name="KRope"><c>[tokens, rope]</c>, turned to their positions.</param>
internal sealed record OracleProjections(double[] Queries, double[] Latent, double[] KRope)
{
    /// <summary>What attention's result is multiplied by, <c>[tokens, heads, value]</c>, or null.</summary>
    public double[]? Gates { get; private init; }

    public static OracleProjections Compute(OracleSpec spec, OracleWeights weights, ReadOnlySpan<float> hidden, ReadOnlySpan<int> positions)
    {
        double[] input = OracleMath.Widen(hidden);
        float[] frequencies = spec.Rope.InverseFrequencies(spec.QkRopeHeadDim);
        (double[] queries, double[]? gates) = ProjectQueries(spec, weights, input);
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
        gates = spec.Gate is OutputGate.HeadWise or OutputGate.ElementWise ? OracleMath.Linear(input, spec.HiddenSize, weights.GateProj!) : gates;
        return new OracleProjections(queries, latent, kRope) { Gates = spec.Gate == OutputGate.None ? null : Sigmoids(spec, gates!) };
    }

    /// <summary>Multiplies attention's result <c>[tokens, heads, value]</c> by the gates, if there are any.</summary>
    public void Gate(Span<double> attention)
    {
        for (int i = 0; Gates is not null && i < attention.Length; i++)
        {
            attention[i] *= Gates[i];
        }
    }

    /// <summary>One gate an element, also where a head has one for all of its own.</summary>
    private static double[] Sigmoids(OracleSpec spec, double[] logits)
        => [.. logits.SelectMany(logit => Enumerable.Repeat(1 / (1 + Math.Exp(-logit)), spec.Gate == OutputGate.HeadWise ? spec.VHeadDim : 1))];

    private static (double[] Queries, double[]? Gates) ProjectQueries(OracleSpec spec, OracleWeights weights, double[] input)
    {
        if (spec.QLoraRank == 0)
        {
            return (OracleMath.Linear(input, spec.HiddenSize, weights.QProj!), null);
        }

        double[] latent = OracleMath.Linear(input, spec.HiddenSize, weights.QAProj!, weights.QAProjBias);
        double[] raw = [.. latent];
        OracleMath.Normalise(latent, spec.QLoraRank, weights.QALayernorm!, spec.LatentNormEpsilon, spec.QueryLatentScale);
        if (spec.Gate != OutputGate.Query)
        {
            return (OracleMath.Linear(latent, spec.QLoraRank, weights.QBProj!), null);
        }

        // Of each token the normalised latent, then the one that it was made of; of each head the query, then the gate.
        double[] both = [.. latent.Chunk(spec.QLoraRank).Zip(raw.Chunk(spec.QLoraRank)).SelectMany(token => token.First.Concat(token.Second))];
        double[][] heads = [.. OracleMath.Linear(both, 2 * spec.QLoraRank, weights.QBProj!).Chunk(spec.QkHeadDim + spec.VHeadDim)];
        return ([.. heads.SelectMany(head => head[..spec.QkHeadDim])], [.. heads.SelectMany(head => head[spec.QkHeadDim..])]);
    }
}
