using MlaGen.Tests.Oracles;

namespace MlaGen.Tests.Attention;

/// <summary>Weights of one layer as a checkpoint in memory.</summary>
internal static class TestCheckpoint
{
    public const string Prefix = "model.layers.0.self_attn.";

    public static InMemoryCheckpoint Of(IReadOnlyDictionary<string, WeightTensor> weights, TensorType type = TensorType.Float32)
    {
        var checkpoint = new InMemoryCheckpoint();
        foreach ((string name, WeightTensor weight) in weights)
        {
            checkpoint.Add(Prefix + name, [.. weight.Shape.Select(size => (long)size)], weight.Values, type);
        }

        return checkpoint;
    }
}
