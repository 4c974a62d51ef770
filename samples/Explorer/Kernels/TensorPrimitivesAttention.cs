using System.Numerics.Tensors;
using Explorer.Measuring;
using Explorer.Models;
using MlaGen;

namespace Explorer.Kernels;

/// <summary>The core as it is written with the vector library that comes with .NET: head by head, token by token.</summary>
internal sealed class TensorPrimitivesAttention : CoreWorkload
{
    private readonly MlaShape _shape;
    private readonly int _context;
    private readonly float _scale;
    private readonly Crew _crew;
    private readonly float[] _rows;
    private readonly float[] _queries;
    private readonly float[] _output;
    private readonly float[][] _scores;

    public TensorPrimitivesAttention(MlaShape shape, float scale, int context, Crew crew)
        : base(shape, context, shape.CacheRowElements * sizeof(float))
    {
        _shape = shape;
        _context = context;
        _scale = scale;
        _crew = crew;
        _rows = Rows(shape, context);
        _queries = Queries(shape);
        _output = new float[shape.Heads * shape.KvLoraRank];
        _scores = [.. Enumerable.Range(0, crew.Threads).Select(_ => new float[context])];
    }

    public override string Kernel => "TensorPrimitives per head";

    public override ReadOnlySpan<float> Output => _output;

    public override void Run() => _crew.Run(thread =>
    {
        Span<float> scores = _scores[thread];
        int depth = _shape.CacheRowElements;
        (int first, int end) = _crew.Share(_shape.Heads, thread);
        for (int head = first; head < end; head++)
        {
            ReadOnlySpan<float> query = _queries.AsSpan(head * depth, depth);
            for (int token = 0; token < _context; token++)
            {
                scores[token] = TensorPrimitives.Dot(query, _rows.AsSpan(token * depth, depth));
            }

            TensorPrimitives.Multiply(scores, _scale, scores);
            TensorPrimitives.SoftMax(scores, scores);
            Span<float> output = _output.AsSpan(head * _shape.KvLoraRank, _shape.KvLoraRank);
            output.Clear();
            for (int token = 0; token < _context; token++)
            {
                TensorPrimitives.MultiplyAdd(_rows.AsSpan(token * depth, _shape.KvLoraRank), scores[token], output, output);
            }
        }
    });
}
