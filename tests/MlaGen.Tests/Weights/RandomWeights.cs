using MlaGen.Runtime;

namespace MlaGen.Tests.Weights;

/// <summary>Numbers in [-1, 1) for products.</summary>
internal static class RandomWeights
{
    public static float[] Values(int count, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => (float)((2 * random.NextDouble()) - 1))];
    }

    /// <summary>Weights that a type holds exactly.</summary>
    public static float[] Of(TensorType type, int count) => [.. Values(count, seed: 1).Select(value => type switch
    {
        TensorType.BFloat16 => BFloat16Conversion.ToSingle(BFloat16Conversion.FromSingle(value)),
        TensorType.Float16 => (float)(Half)value,
        _ => value,
    })];
}
