using System.Numerics.Tensors;

namespace MlaGen.Tests.Oracles;

/// <summary>MLA as the papers define it: keys and values of every head are decompressed from the latents, then ordinary attention.</summary>
internal static class DecompressedOracle
{
    public static OracleResult Forward(OracleSpec spec, OracleWeights weights, ReadOnlySpan<float> hidden, ReadOnlySpan<int> positions)
    {
        int tokens = positions.Length;
        int perHead = spec.QkNopeHeadDim + spec.VHeadDim;
        OracleProjections projections = OracleProjections.Compute(spec, weights, hidden, positions);
        (double[] queries, double[] latent, double[] kRope) = projections;
        double[] keysAndValues = OracleMath.Linear(latent, spec.KvLoraRank, weights.KvBProj);
        var attention = new double[tokens * spec.Heads * spec.VHeadDim];
        var maxScores = new double[spec.Heads];
        Parallel.For(0, spec.Heads, head =>
        {
            Span<double> scores = new double[tokens + 1];
            for (int query = 0; query < tokens; query++)
            {
                ReadOnlySpan<double> q = queries.AsSpan(((query * spec.Heads) + head) * spec.QkHeadDim, spec.QkHeadDim);
                Span<double> seen = scores[..(query + 1)];
                for (int key = 0; key <= query; key++)
                {
                    seen[key] = spec.SoftmaxScale * (TensorPrimitives.Dot(q[..spec.QkNopeHeadDim], KeyAndValue(key)[..spec.QkNopeHeadDim])
                        + TensorPrimitives.Dot(q[spec.QkNopeHeadDim..], kRope.AsSpan(key * spec.QkRopeHeadDim, spec.QkRopeHeadDim)));
                }

                maxScores[head] = Math.Max(maxScores[head], OracleMath.MaxMagnitude(seen));
                if (weights.Sinks is { } sinks)
                {
                    // One score more, and no value to it.
                    scores[query + 1] = sinks[head];
                    OracleMath.Softmax(scores[..(query + 2)]);
                }
                else
                {
                    OracleMath.Softmax(seen);
                }

                Span<double> result = attention.AsSpan(((query * spec.Heads) + head) * spec.VHeadDim, spec.VHeadDim);
                for (int key = 0; key <= query; key++)
                {
                    OracleMath.AddScaled(KeyAndValue(key)[spec.QkNopeHeadDim..], seen[key], result);
                }
            }

            ReadOnlySpan<double> KeyAndValue(int token) => keysAndValues.AsSpan(((token * spec.Heads) + head) * perHead, perHead);
        });

        projections.Gate(attention);
        double[] output = OracleMath.Linear(attention, spec.Heads * spec.VHeadDim, weights.OProj, weights.OProjBias);
        return new OracleResult(output, latent, kRope, attention, maxScores.Max());
    }
}
