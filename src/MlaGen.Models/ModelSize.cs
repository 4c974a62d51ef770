namespace MlaGen.Models;

/// <summary>How many weights a model has, found from its <c>config.json</c> alone.</summary>
/// <param name="Attention">Those of attention, norms and routers, which stay as they are stored.</param>
/// <param name="Others">Those of experts, dense feed-forward parts, the embedding and the head, which <see cref="ModelOptions.Weights"/> brings into few bits.</param>
public readonly record struct ModelSize(long Attention, long Others)
{
    /// <summary>Bytes that they take in memory.</summary>
    /// <param name="weights">How the others are kept; as they are stored, both are taken for bf16.</param>
    /// <exception cref="ArgumentOutOfRangeException">There is no such format.</exception>
    public long Bytes(WeightFormat weights)
    {
        double bits = weights switch
        {
            WeightFormat.Stored => 16,
            WeightFormat.Int8Group32 => 8.5,
            WeightFormat.Int8Group64 => 8.25,
            WeightFormat.Int4Group32 => 4.5,
            WeightFormat.Int4Group64 => 4.25,
            _ => throw new ArgumentOutOfRangeException(nameof(weights), weights, "There is no such format."),
        };
        return (sizeof(ushort) * Attention) + (long)(Others * bits / 8);
    }

    /// <summary>Goes through what loading would load.</summary>
    internal static ModelSize Of(ModelConfig model)
    {
        AttentionFit attention = new(model);
        long exact = 0;
        long others = 0;
        Linear none = new(1, 1, new float[1]);
        WeightLoading counting = new(
            (_, _, layer) =>
            {
                exact += attention.Weights(layer);
                return null!;
            },
            (_, _, inFeatures, outFeatures, bias) =>
            {
                exact += bias ? outFeatures : 0;
                return Count(ref others, (long)inFeatures * outFeatures);
            })
        {
            Exact = (_, _, inFeatures, outFeatures) => Count(ref exact, (long)inFeatures * outFeatures),
            Floats = (_, _, shape) =>
            {
                float[] values = new float[shape.Aggregate(1, static (product, dimension) => product * dimension)];
                exact += values.Length;
                return values;
            },
        };
        WeightSource source = new(new InMemoryCheckpoint(), "", counting);
        model.Family.Load(source, source);
        return new ModelSize(exact, others);

        Linear Count(ref long count, long weights)
        {
            count += weights;
            return none;
        }
    }
}
