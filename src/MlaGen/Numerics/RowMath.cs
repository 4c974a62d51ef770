using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace MlaGen.Runtime;

/// <summary>What attention does to whole rows, beside its products.</summary>
internal abstract class RowMath
{
    /// <summary>The arithmetic of this process's tier.</summary>
    public static RowMath Current { get; } = SimdTiers.Current switch
    {
        SimdTier.Vector512 => new RowMath<Lanes512>(),
        SimdTier.Vector256 => new RowMath<Lanes256>(),
        SimdTier.Vector128 => new RowMath<Lanes128>(),
        _ => new RowMath<Lanes1>(),
    };

    /// <summary>Folds a part of an attention sum into another: <c>sum = sum · keep + part · take</c>.</summary>
    public abstract void Fold(Span<float> sum, float keep, ReadOnlySpan<float> part, float take);

    /// <summary>Writes <c>values · factor</c>; <paramref name="result"/> is as long as <paramref name="values"/>, or the same memory.</summary>
    public abstract void Scale(ReadOnlySpan<float> values, float factor, Span<float> result);

    /// <summary>Multiplies values by the sigmoids of as many gates.</summary>
    public abstract void Gate(Span<float> values, ReadOnlySpan<float> gates);

    /// <summary>Whether no value is infinite or not a number.</summary>
    public abstract bool AreFinite(ReadOnlySpan<float> values);
}

/// <summary>What attention does to whole rows, for one tier.</summary>
/// <typeparam name="V">Vector of the tier.</typeparam>
internal sealed class RowMath<V> : RowMath
    where V : struct, ILanes<V>
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Fold(Span<float> sum, float keep, ReadOnlySpan<float> part, float take)
    {
        ref float s = ref MemoryMarshal.GetReference(sum);
        ref float p = ref MemoryMarshal.GetReference(part[..sum.Length]);
        int i = 0;
        for (; i + V.Count <= sum.Length; i += V.Count)
        {
            V taken = V.Multiply(V.Load(ref Unsafe.Add(ref p, i)), V.Broadcast(take));
            V.Store(V.MultiplyAdd(V.Load(ref Unsafe.Add(ref s, i)), V.Broadcast(keep), taken), ref Unsafe.Add(ref s, i));
        }

        for (; i < sum.Length; i++)
        {
            sum[i] = float.MultiplyAddEstimate(sum[i], keep, part[i] * take);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Scale(ReadOnlySpan<float> values, float factor, Span<float> result)
    {
        ref float v = ref MemoryMarshal.GetReference(values);
        ref float r = ref MemoryMarshal.GetReference(result[..values.Length]);
        int i = 0;
        for (; i + V.Count <= values.Length; i += V.Count)
        {
            V.Store(V.Multiply(V.Load(ref Unsafe.Add(ref v, i)), V.Broadcast(factor)), ref Unsafe.Add(ref r, i));
        }

        for (; i < values.Length; i++)
        {
            result[i] = values[i] * factor;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Gate(Span<float> values, ReadOnlySpan<float> gates)
    {
        ref float v = ref MemoryMarshal.GetReference(values);
        ref float g = ref MemoryMarshal.GetReference(gates[..values.Length]);
        int i = 0;
        for (; i + V.Count <= values.Length; i += V.Count)
        {
            V.Store(V.Multiply(V.Load(ref Unsafe.Add(ref v, i)), V.Sigmoid(V.Load(ref Unsafe.Add(ref g, i)))), ref Unsafe.Add(ref v, i));
        }

        for (; i < values.Length; i++)
        {
            values[i] *= VectorMath.Sigmoid(gates[i]);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override bool AreFinite(ReadOnlySpan<float> values)
    {
        // Zero times what is not finite is not a number, and stays so in every sum.
        ref float v = ref MemoryMarshal.GetReference(values);
        V sums = V.Zero;
        int i = 0;
        for (; i + V.Count <= values.Length; i += V.Count)
        {
            sums = V.MultiplyAdd(V.Load(ref Unsafe.Add(ref v, i)), V.Zero, sums);
        }

        Span<float> lanes = stackalloc float[V.Count];
        V.Store(sums, ref MemoryMarshal.GetReference(lanes));
        float sum = 0;
        foreach (float lane in lanes)
        {
            sum += lane;
        }

        for (; i < values.Length; i++)
        {
            sum += 0 * values[i];
        }

        return sum == 0;
    }
}
