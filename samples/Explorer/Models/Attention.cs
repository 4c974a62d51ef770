using Explorer.Measuring;
using MlaGen;

namespace Explorer.Models;

/// <summary>A generated class, seen without its type: what of it can be measured.</summary>
internal abstract class Attention
{
    public abstract MlaShape Shape { get; }

    /// <summary>Operations that the absorbed core does for a cached token: scores over the whole row, values over the latent.</summary>
    public long OperationsPerToken => 2L * Shape.Heads * ((2 * Shape.KvLoraRank) + Shape.QkRopeHeadDim);

    /// <summary>The absorbed attention core: one query token against a cache that holds <paramref name="context"/> tokens.</summary>
    public abstract Workload Decode(int context, MlaExecutor executor);
}

/// <summary>The static members of a generated class as delegates: an interface cannot promise them without emitting them twice.</summary>
/// <typeparam name="T">The generated class.</typeparam>
/// <param name="append"><c>T.AppendLatent</c>.</param>
/// <param name="attend"><c>T.AttendLatent</c>.</param>
internal sealed class Attention<T>(Attention<T>.Append append, Attention<T>.Attend attend) : Attention
    where T : class, IMlaAttention<T>
{
    public delegate void Append(MlaBatch<T> batch, int layer, ReadOnlySpan<float> rows);

    public delegate void Attend(MlaBatch<T> batch, int layer, ReadOnlySpan<float> queries, Span<float> output, Span<float> logSumExp);

    public override MlaShape Shape => T.Shape;

    public override Workload Decode(int context, MlaExecutor executor) => new DecodeCore(this, context, executor);

    private sealed class DecodeCore : Workload
    {
        private readonly Attention<T> _attention;
        private readonly Attend _attend;
        private readonly int _context;
        private readonly FilledCache<T> _cache;
        private readonly MlaBatch<T> _batch;
        private readonly float[] _queries;
        private readonly float[] _output;
        private readonly float[] _logSumExp;

        public DecodeCore(Attention<T> attention, int context, MlaExecutor executor)
        {
            MlaShape shape = T.Shape;
            _attention = attention;
            _attend = attention.AttendRows;
            _context = context;
            _cache = new FilledCache<T>(attention.AppendRows, sequences: 1, context, spareTokens: 0);
            _batch = _cache.CreateBatch(executor);
            _batch.AddQueries(_cache.Sequences[0], 1);
            _queries = RandomData.Floats(shape.Heads * shape.CacheRowElements, seed: 2);
            _output = new float[shape.Heads * shape.KvLoraRank];
            _logSumExp = new float[shape.Heads];
        }

        public override string Kernel => "decode";

        public override long Operations => _context * _attention.OperationsPerToken;

        public override long Bytes => (long)_context * T.Shape.CacheRowBytes;

        public override void Run() => _attend(_batch, 0, _queries, _output, _logSumExp);

        public override void Dispose()
        {
            _batch.Dispose();
            _cache.Dispose();
        }
    }

    private Append AppendRows => append;

    private Attend AttendRows => attend;
}
