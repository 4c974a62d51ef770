using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;
using MlaGen.Tests.Oracles;

namespace MlaGen.Tests.Attention;

/// <summary>Weights of one layer in memory, under <see cref="Prefix"/>.</summary>
internal sealed class TestCheckpoint(IReadOnlyDictionary<string, WeightTensor> weights) : ICheckpoint
{
    public const string Prefix = "model.layers.0.self_attn.";

    public bool TryGetTensor(string name, [NotNullWhen(true)] out CheckpointTensor? tensor)
    {
        bool found = name.StartsWith(Prefix, StringComparison.Ordinal) & weights.TryGetValue(name[Math.Min(name.Length, Prefix.Length)..], out WeightTensor? weight);
        tensor = found ? new Tensor(weight!.Values) { Name = name, Type = TensorType.Float32, Shape = [.. weight.Shape.Select(size => (long)size)], Source = "memory" } : null;
        return found;
    }

    private sealed class Tensor(float[] values) : CheckpointTensor
    {
        public override void Read(long offset, Span<byte> destination)
            => MemoryMarshal.AsBytes<float>(values).Slice(checked((int)offset), destination.Length).CopyTo(destination);
    }
}
