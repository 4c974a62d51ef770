using System.Numerics;
using System.Numerics.Tensors;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Explorer.Measuring;
using MlaGen.Runtime;

namespace Explorer.Kernels;

/// <summary>One decoded token of standard multi-head attention, the form that MLA replaces. Each thread takes a share of the heads.</summary>
internal sealed class MultiHeadAttention : Workload
{
    private const int Width = HeadMajorCache.Width;
    private const int TileTokens = 8;
    private const int BlockTokens = 64;

    /// <summary>Bytes from what is read to what is asked for meanwhile: the processor's own prefetching stops at each page of 4 KB.</summary>
    private const int AheadBytes = 8192;

    private const int CacheLineBytes = 64;

    private readonly HeadMajorCache _cache;
    private readonly Crew _crew;
    private readonly float[] _queries;
    private readonly float[] _output;
    private readonly float[][] _scores;
    private readonly Action<int> _attend;

    public MultiHeadAttention(HeadMajorCache cache, Crew crew)
    {
        _cache = cache;
        _crew = crew;
        _queries = Models.RandomData.Floats(cache.Heads * Width, seed: 7);
        TensorPrimitives.Multiply(_queries, 1 / MathF.Sqrt(Width), _queries);
        _output = new float[_queries.Length];
        _scores = [.. Enumerable.Range(0, crew.Threads).Select(_ => new float[cache.Context])];
        _attend = Attend;
    }

    public override string Kernel => "mha";

    public override long Operations => (long)_cache.Heads * _cache.Context * Width * 4;

    public override long Bytes => HeadMajorCache.BytesFor(_cache.Heads, _cache.Context);

    /// <summary>Results <c>[heads, 128]</c> of the last run.</summary>
    public ReadOnlySpan<float> Output => _output;

    /// <summary>Scaled queries <c>[heads, 128]</c>.</summary>
    public ReadOnlySpan<float> Queries => _queries;

    public override void Run() => _crew.Run(_attend);

    private void Attend(int thread)
    {
        float[] scores = _scores[thread];
        int length = _cache.Context * Width;
        (int first, int end) = _crew.Share(_cache.Heads, thread);
        for (int head = first; head < end; head++)
        {
            Score(_queries.AsSpan(head * Width, Width), _cache.Keys.AsSpan(head * length, length), scores);
            TensorPrimitives.SoftMax(scores, scores);
            Sum(scores, _cache.Values.AsSpan(head * length, length), _output.AsSpan(head * Width, Width));
        }
    }

    /// <summary>Products of the query with every key, eight keys at a time: each element of the query is loaded once for all of them.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Score(ReadOnlySpan<float> query, ReadOnlySpan<float> keys, Span<float> scores)
    {
        ref float q = ref MemoryMarshal.GetReference(query);
        int token = 0;
        for (; token + TileTokens <= scores.Length; token += TileTokens)
        {
            ref float k = ref Unsafe.Add(ref MemoryMarshal.GetReference(keys), token * Width);
            Vector<float> s0 = Vector<float>.Zero, s1 = s0, s2 = s0, s3 = s0, s4 = s0, s5 = s0, s6 = s0, s7 = s0;
            for (nuint i = 0; i < Width; i += (nuint)Vector<float>.Count)
            {
                Vector<float> x = Vector.LoadUnsafe(ref q, i);
                s0 = Vector.MultiplyAddEstimate(x, Vector.LoadUnsafe(ref k, i), s0);
                s1 = Vector.MultiplyAddEstimate(x, Vector.LoadUnsafe(ref k, i + Width), s1);
                s2 = Vector.MultiplyAddEstimate(x, Vector.LoadUnsafe(ref k, i + (2 * Width)), s2);
                s3 = Vector.MultiplyAddEstimate(x, Vector.LoadUnsafe(ref k, i + (3 * Width)), s3);
                s4 = Vector.MultiplyAddEstimate(x, Vector.LoadUnsafe(ref k, i + (4 * Width)), s4);
                s5 = Vector.MultiplyAddEstimate(x, Vector.LoadUnsafe(ref k, i + (5 * Width)), s5);
                s6 = Vector.MultiplyAddEstimate(x, Vector.LoadUnsafe(ref k, i + (6 * Width)), s6);
                s7 = Vector.MultiplyAddEstimate(x, Vector.LoadUnsafe(ref k, i + (7 * Width)), s7);
                Ask(ref k, AheadBytes + ((int)i * TileTokens * sizeof(float)), Vector<float>.Count * TileTokens * sizeof(float));
            }

            ref float result = ref scores[token];
            result = Vector.Sum(s0);
            Unsafe.Add(ref result, 1) = Vector.Sum(s1);
            Unsafe.Add(ref result, 2) = Vector.Sum(s2);
            Unsafe.Add(ref result, 3) = Vector.Sum(s3);
            Unsafe.Add(ref result, 4) = Vector.Sum(s4);
            Unsafe.Add(ref result, 5) = Vector.Sum(s5);
            Unsafe.Add(ref result, 6) = Vector.Sum(s6);
            Unsafe.Add(ref result, 7) = Vector.Sum(s7);
        }

        for (; token < scores.Length; token++)
        {
            scores[token] = TensorPrimitives.Dot(query, keys.Slice(token * Width, Width));
        }
    }

    /// <summary>Values weighted by the scores. Eight vectors of the result stay in registers over a block of tokens, which the cache keeps for the next eight.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Sum(ReadOnlySpan<float> scores, ReadOnlySpan<float> values, Span<float> output)
    {
        output.Clear();
        nuint lanes = (nuint)Vector<float>.Count;
        nuint step = 8 * lanes;
        for (int first = 0; first < scores.Length; first += BlockTokens)
        {
            ReadOnlySpan<float> block = scores.Slice(first, Math.Min(BlockTokens, scores.Length - first));
            ref float rows = ref Unsafe.Add(ref MemoryMarshal.GetReference(values), first * Width);
            for (nuint column = 0; column < Width; column += step)
            {
                ref float target = ref Unsafe.Add(ref MemoryMarshal.GetReference(output), column);
                ref float v = ref Unsafe.Add(ref rows, column);
                Vector<float> o0 = Vector.LoadUnsafe(ref target);
                Vector<float> o1 = Vector.LoadUnsafe(ref target, lanes);
                Vector<float> o2 = Vector.LoadUnsafe(ref target, 2 * lanes);
                Vector<float> o3 = Vector.LoadUnsafe(ref target, 3 * lanes);
                Vector<float> o4 = Vector.LoadUnsafe(ref target, 4 * lanes);
                Vector<float> o5 = Vector.LoadUnsafe(ref target, 5 * lanes);
                Vector<float> o6 = Vector.LoadUnsafe(ref target, 6 * lanes);
                Vector<float> o7 = Vector.LoadUnsafe(ref target, 7 * lanes);
                foreach (float score in block)
                {
                    Vector<float> weight = new(score);
                    o0 = Vector.MultiplyAddEstimate(weight, Vector.LoadUnsafe(ref v), o0);
                    o1 = Vector.MultiplyAddEstimate(weight, Vector.LoadUnsafe(ref v, lanes), o1);
                    o2 = Vector.MultiplyAddEstimate(weight, Vector.LoadUnsafe(ref v, 2 * lanes), o2);
                    o3 = Vector.MultiplyAddEstimate(weight, Vector.LoadUnsafe(ref v, 3 * lanes), o3);
                    o4 = Vector.MultiplyAddEstimate(weight, Vector.LoadUnsafe(ref v, 4 * lanes), o4);
                    o5 = Vector.MultiplyAddEstimate(weight, Vector.LoadUnsafe(ref v, 5 * lanes), o5);
                    o6 = Vector.MultiplyAddEstimate(weight, Vector.LoadUnsafe(ref v, 6 * lanes), o6);
                    o7 = Vector.MultiplyAddEstimate(weight, Vector.LoadUnsafe(ref v, 7 * lanes), o7);
                    Ask(ref v, AheadBytes, 8 * Vector<float>.Count * sizeof(float));
                    v = ref Unsafe.Add(ref v, Width);
                }

                o0.StoreUnsafe(ref target);
                o1.StoreUnsafe(ref target, lanes);
                o2.StoreUnsafe(ref target, 2 * lanes);
                o3.StoreUnsafe(ref target, 3 * lanes);
                o4.StoreUnsafe(ref target, 4 * lanes);
                o5.StoreUnsafe(ref target, 5 * lanes);
                o6.StoreUnsafe(ref target, 6 * lanes);
                o7.StoreUnsafe(ref target, 7 * lanes);
            }
        }
    }

    /// <summary>Asks for some bytes at a distance; nothing comes of it beyond the cache's end.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Ask(ref float origin, int distance, int bytes)
    {
        for (int line = 0; line < bytes; line += CacheLineBytes)
        {
            Prefetch.Ahead(ref Unsafe.As<float, byte>(ref origin), distance + line);
        }
    }
}
