using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;
using MlaGen;

namespace Explorer.Models;

/// <summary>The tensors of one layer in bf16, made as they are read: a layer of a large model would take most of a gigabyte twice.</summary>
internal sealed class RandomCheckpoint : ICheckpoint
{
    private const string IndexNorm = "indexer.k_norm.";

    private readonly Dictionary<string, long[]> _shapes;

    /// <summary>Elements of index keys that are zeros.</summary>
    private readonly Range _indexZeros = ..0;

    /// <param name="shape">The layer's dimensions.</param>
    public RandomCheckpoint(MlaShape shape) => _shapes = Shapes(shape);

    /// <param name="model">A layer with a sparse indexer.</param>
    /// <param name="indexesByPlace">Whether positions are part of what the indexer compares; else tokens that are alike select alike wherever they stand.</param>
    public RandomCheckpoint(SparseModel model, bool indexesByPlace)
        : this(model.Shape)
    {
        int rotary = model.Shape.QkRopeHeadDim;
        _indexZeros = indexesByPlace ? ..0 : model.IndexRotatesLast ? ^rotary.. : ..rotary;
        _shapes.Add("indexer.wq_b.weight", [model.IndexHeads * model.IndexHeadDim, model.Shape.QLoraRank]);
        _shapes.Add("indexer.wk.weight", [model.IndexHeadDim, model.Shape.HiddenSize]);
        _shapes.Add(IndexNorm + "weight", [model.IndexHeadDim]);
        _shapes.Add(IndexNorm + "bias", [model.IndexHeadDim]);
        _shapes.Add("indexer.weights_proj.weight", [model.IndexHeads, model.Shape.HiddenSize]);
    }

    public string Source => "random numbers";

    public IEnumerable<string> Names => _shapes.Keys;

    public bool TryGetTensor(string name, [NotNullWhen(true)] out CheckpointTensor? tensor)
    {
        tensor = _shapes.TryGetValue(name, out long[]? dimensions)
            ? new RandomTensor { Name = name, Type = TensorType.BFloat16, Shape = [.. dimensions], Source = Source, Zeros = name.StartsWith(IndexNorm, StringComparison.Ordinal) ? _indexZeros : ..0 }
            : null;
        return tensor is not null;
    }

    private static Dictionary<string, long[]> Shapes(MlaShape shape)
    {
        Dictionary<string, long[]> shapes = Costs.Projections(shape).ToDictionary(
            static projection => projection.Name + ".weight",
            static projection => new long[] { projection.Rows, projection.Columns },
            StringComparer.Ordinal);
        shapes.Add("kv_b_proj.weight", [(long)shape.Heads * (shape.QkNopeHeadDim + shape.VHeadDim), shape.KvLoraRank]);
        shapes.Add("kv_a_layernorm.weight", [shape.KvLoraRank]);
        if (shape.QLoraRank > 0)
        {
            shapes.Add("q_a_layernorm.weight", [shape.QLoraRank]);
        }

        return shapes;
    }

    private sealed class RandomTensor : CheckpointTensor
    {
        /// <summary>Elements that are zeros, of a tensor of one dimension.</summary>
        public required Range Zeros { get; init; }

        public override void Read(long offset, Span<byte> destination)
        {
            Span<ushort> values = MemoryMarshal.Cast<byte, ushort>(destination);
            ulong first = (ulong)(offset / sizeof(ushort));
            for (int i = 0; i < values.Length; i++)
            {
                values[i] = At(first + (ulong)i);
            }

            int start = Zeros.Start.GetOffset((int)Shape[0]) - (int)first;
            int end = Zeros.End.GetOffset((int)Shape[0]) - (int)first;
            if (Math.Max(0, start) < Math.Min(values.Length, end))
            {
                values[Math.Max(0, start)..Math.Min(values.Length, end)].Clear();
            }
        }

        /// <summary>Either sign, between 1/64 and 1/32: like weights, and never a denormal number.</summary>
        internal static ushort At(ulong index) => (ushort)(((ulong)(index * 0x9E3779B97F4A7C15) >> 48 & 0x807F) | 0x3C80);
    }
}
