using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace MlaGen.Runtime;

/// <summary>
/// What attention to some keys of a row adds up to, as it lies in memory: for each head the weighted latents, not yet divided by the sum of the
/// weights, then for each column the largest score, the sum of the weights under it, and the last factor of rescaling.
/// </summary>
internal sealed class AttentionSums(MlaShape shape, int columns)
{
    private const int LineFloats = 16;

    private readonly int _width = shape.KvLoraRank;
    private readonly int _statistics = shape.Heads * shape.KvLoraRank;

    /// <summary>Floats, whole cache lines: sums that lie behind one another all begin at one.</summary>
    public int Length { get; } = ((shape.Heads * shape.KvLoraRank) + (3 * columns) + LineFloats - 1) / LineFloats * LineFloats;

    /// <summary>Where the statistics begin.</summary>
    public ref float Statistics(ref float sums) => ref Unsafe.Add(ref sums, _statistics);

    /// <summary>Makes them those of no keys.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Clear(ref float sums)
    {
        ref float statistics = ref Statistics(ref sums);
        MemoryMarshal.CreateSpan(ref sums, _statistics).Clear();
        MemoryMarshal.CreateSpan(ref statistics, columns).Fill(float.NegativeInfinity);
        MemoryMarshal.CreateSpan(ref Unsafe.Add(ref statistics, columns), 2 * columns).Clear();
    }

    /// <summary>Adds a head's sums over later keys to those over earlier ones.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Fold(int head, ref float sums, ref float later)
    {
        ref float maximum = ref Unsafe.Add(ref Statistics(ref sums), head);
        ref float laterMaximum = ref Unsafe.Add(ref Statistics(ref later), head);
        float common = Math.Max(maximum, laterMaximum);
        if (float.IsNegativeInfinity(common))
        {
            return;
        }

        float keep = VectorMath.Exp(maximum - common);
        float take = VectorMath.Exp(laterMaximum - common);
        ref float sum = ref Unsafe.Add(ref maximum, columns);
        maximum = common;
        sum = (sum * keep) + (Unsafe.Add(ref laterMaximum, columns) * take);
        RowMath.Current.Fold(Latents(head, ref sums), keep, Latents(head, ref later), take);
    }

    /// <summary>Divides a head's weighted latents by the sum of their weights and the sink's: zeros where there are no keys.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Divide(int head, ref float sums, float sink, Span<float> output)
    {
        ref float maximum = ref Unsafe.Add(ref Statistics(ref sums), head);
        RowMath.Current.Scale(Latents(head, ref sums), Share(maximum, Unsafe.Add(ref maximum, columns), sink), output);
    }

    /// <summary>
    /// What weights must be multiplied by to be shares of the softmax: one over the sum of the weights and the sink's, which is a logit without a value. The
    /// weights are relative to the largest score; the larger one of it and the sink keeps both exponentials from overflowing. 0 where nothing weighs anything:
    /// without keys, or where every score is negative infinity.
    /// </summary>
    /// <param name="maximum">The largest score.</param>
    /// <param name="sum">The sum of the weights.</param>
    /// <param name="sink">The sink's logit, or negative infinity for none: then exactly one over the sum.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Share(float maximum, float sum, float sink)
    {
        if (sum == 0)
        {
            return 0;
        }

        float common = Math.Max(maximum, sink);
        float keep = VectorMath.Exp(maximum - common);
        return keep / ((sum * keep) + VectorMath.Exp(sink - common));
    }

    /// <summary>Natural logarithm of the sum of a head's exponentials: negative infinity where there are no keys.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public float LogSumExp(int head, ref float sums)
    {
        ref float maximum = ref Unsafe.Add(ref Statistics(ref sums), head);
        float sum = Unsafe.Add(ref maximum, columns);
        return sum == 0 ? float.NegativeInfinity : maximum + MathF.Log(sum);
    }

    private Span<float> Latents(int head, ref float sums) => MemoryMarshal.CreateSpan(ref Unsafe.Add(ref sums, head * _width), _width);
}
