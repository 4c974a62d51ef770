using System.Runtime.InteropServices;

namespace MlaGen.Models;

/// <summary>Where a family finds its weights: names below a prefix.</summary>
/// <param name="checkpoint">The tensors.</param>
/// <param name="prefix">What their names begin with.</param>
/// <param name="loading">What is done to them, and how attention is loaded.</param>
internal sealed class WeightSource(ICheckpoint checkpoint, string prefix, WeightLoading loading)
{
    public WeightSource At(string name) => new(checkpoint, prefix + name, loading);

    public IAttention Attention(string name, int cacheLayer) => loading.Attention(checkpoint, prefix + name, cacheLayer);

    /// <summary>A matrix of those that make up the model's size.</summary>
    public Linear Linear(string name, int inFeatures, int outFeatures, bool bias = false) => loading.Linear(checkpoint, prefix + name, inFeatures, outFeatures, bias);

    /// <summary>A small matrix whose errors would matter: kept as it is stored.</summary>
    public Linear Exact(string name, int inFeatures, int outFeatures) => loading.Exact(checkpoint, prefix + name, inFeatures, outFeatures);

    public RmsNorm Norm(string name, int width, float epsilon) => new(Floats($"{name}.weight", width), epsilon);

    public Mlp Mlp(int hidden, int width, string gate = "gate_proj", float limit = float.PositiveInfinity, bool bias = false) =>
        new(Linear(gate, hidden, width, bias), Linear("up_proj", hidden, width, bias), Linear("down_proj", width, hidden, bias), limit);

    /// <summary>The routed experts, each with matrices of its own or all in one tensor.</summary>
    public Mlp[] Experts(ExpertSettings settings, int hidden, float limit)
    {
        ICheckpoint view = FusedExperts.Open(checkpoint, prefix, settings.Routed, hidden, settings.Width);
        WeightSource source = new(checkpoint is PackedWeights kept ? kept.Over(view) : view, prefix, loading);
        List<Mlp> experts = [];
        for (int expert = 0; expert < settings.Routed; expert++)
        {
            experts.Add(source.At(FormattableString.Invariant($"{expert}.")).Mlp(hidden, settings.Width, limit: limit));
        }

        return [.. experts];
    }

    /// <summary>Reads a small tensor as floats.</summary>
    public float[] Floats(string name, params int[] shape) => loading.Floats(checkpoint, prefix + name, shape);

    internal static float[] ReadFloats(ICheckpoint checkpoint, string name, params ReadOnlySpan<int> shape)
    {
        CheckpointTensor tensor = Find(checkpoint, name, shape);
        int length = 1;
        foreach (int dimension in shape)
        {
            length = checked(length * dimension);
        }

        float[] values = new float[length];
        if (tensor.Type == TensorType.Float32)
        {
            tensor.Read(0, MemoryMarshal.AsBytes(values.AsSpan()));
            return values;
        }

        ushort[] codes = new ushort[length];
        tensor.Read(0, MemoryMarshal.AsBytes(codes.AsSpan()));
        return tensor.Type == TensorType.BFloat16
            ? Array.ConvertAll(codes, static code => BitConverter.Int32BitsToSingle(code << 16))
            : Array.ConvertAll(codes, static code => (float)BitConverter.UInt16BitsToHalf(code));
    }

    /// <summary>Finds a tensor that must exist, have exactly this shape, and be of a type that can be computed with.</summary>
    /// <exception cref="CheckpointException">It is missing, has another shape, or elements that are neither <c>BF16</c>, <c>F16</c> nor <c>F32</c>.</exception>
    internal static CheckpointTensor Find(ICheckpoint checkpoint, string name, params ReadOnlySpan<int> shape)
    {
        string expected = $"[{string.Join(", ", shape.ToArray())}]";
        if (!checkpoint.TryGetTensor(name, out CheckpointTensor? tensor))
        {
            throw new CheckpointException($"is missing; config.json asks for {expected}", checkpoint.Source, name);
        }

        const int MostShown = 8;
        string found = $"[{string.Join(", ", tensor.Shape.Take(MostShown))}{(tensor.Shape.Length > MostShown ? ", …" : "")}]";
        if (expected != found)
        {
            throw new CheckpointException($"has shape {found}; config.json asks for {expected}", tensor.Source, name);
        }

        return tensor.Type is TensorType.BFloat16 or TensorType.Float16 or TensorType.Float32
            ? tensor
            : throw new CheckpointException($"has elements of type {tensor.Type}, expected BFloat16, Float16 or Float32", tensor.Source, name);
    }

    /// <summary>Bytes of one element of a tensor that <see cref="Find"/> returned.</summary>
    internal static int ElementBytes(TensorType type) => type == TensorType.Float32 ? sizeof(float) : sizeof(ushort);
}

/// <summary>What is done to weights when they are loaded.</summary>
/// <param name="Attention">Loads the attention below a prefix, as a layer of the cache.</param>
/// <param name="Linear">Loads a matrix, and its bias if it is to have one.</param>
internal sealed record WeightLoading(Func<ICheckpoint, string, int, IAttention> Attention, Func<ICheckpoint, string, int, int, bool, Linear> Linear)
{
    /// <summary>Loads a matrix as it is stored.</summary>
    public Func<ICheckpoint, string, int, int, Linear> Exact { get; init; } = static (checkpoint, name, inFeatures, outFeatures) => MlaGen.Linear.Load(checkpoint, name, inFeatures, outFeatures);

    /// <summary>Loads a small tensor.</summary>
    public Func<ICheckpoint, string, int[], float[]> Floats { get; init; } = static (checkpoint, name, shape) => WeightSource.ReadFloats(checkpoint, name, shape);
}
