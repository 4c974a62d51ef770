using System.Runtime.CompilerServices;

namespace MlaGen.Runtime;

/// <summary>
/// The register tiles of a matrix product: packed inputs <c>[depth][inputWidth]</c> against packed weights <c>[depth][two vectors]</c>.
/// Each output sums its products in the order of depth, whatever tile it stands in.
/// </summary>
/// <typeparam name="V">Vector of the tier.</typeparam>
internal static class ProjectionTiles<V>
    where V : struct, ILanes<V>
{
    /// <summary>Rows of a whole tile: 24 accumulators fit 32 registers, 12 fit 16.</summary>
    public static int Rows => V.Count is 16 or 4 ? 12 : 6;

    /// <summary>Inputs that stand beside each other in a packed tile.</summary>
    public static int InputWidth => V.Count is 16 or 4 ? 12 : 8;

    /// <summary>Outputs of a tile.</summary>
    public static int Outputs => 2 * V.Count;

    /// <summary>12 rows by two vectors: 24 accumulators, two weights and one input in registers.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Multiply12(ref readonly float inputs, int inputWidth, ref readonly float weights, int depth, ref float outputs, int stride, bool accumulate)
    {
        ref float x = ref Unsafe.AsRef(in inputs);
        ref float w = ref Unsafe.AsRef(in weights);
        V sum0_0 = V.Zero, sum0_1 = V.Zero;
        V sum1_0 = V.Zero, sum1_1 = V.Zero;
        V sum2_0 = V.Zero, sum2_1 = V.Zero;
        V sum3_0 = V.Zero, sum3_1 = V.Zero;
        V sum4_0 = V.Zero, sum4_1 = V.Zero;
        V sum5_0 = V.Zero, sum5_1 = V.Zero;
        V sum6_0 = V.Zero, sum6_1 = V.Zero;
        V sum7_0 = V.Zero, sum7_1 = V.Zero;
        V sum8_0 = V.Zero, sum8_1 = V.Zero;
        V sum9_0 = V.Zero, sum9_1 = V.Zero;
        V sum10_0 = V.Zero, sum10_1 = V.Zero;
        V sum11_0 = V.Zero, sum11_1 = V.Zero;
        for (int k = 0; k < depth; k++)
        {
            V w0 = V.Load(ref w);
            V w1 = V.Load(ref Unsafe.Add(ref w, V.Count));
            V x0 = V.Broadcast(x);
            sum0_0 = V.MultiplyAdd(x0, w0, sum0_0);
            sum0_1 = V.MultiplyAdd(x0, w1, sum0_1);
            V x1 = V.Broadcast(Unsafe.Add(ref x, 1));
            sum1_0 = V.MultiplyAdd(x1, w0, sum1_0);
            sum1_1 = V.MultiplyAdd(x1, w1, sum1_1);
            V x2 = V.Broadcast(Unsafe.Add(ref x, 2));
            sum2_0 = V.MultiplyAdd(x2, w0, sum2_0);
            sum2_1 = V.MultiplyAdd(x2, w1, sum2_1);
            V x3 = V.Broadcast(Unsafe.Add(ref x, 3));
            sum3_0 = V.MultiplyAdd(x3, w0, sum3_0);
            sum3_1 = V.MultiplyAdd(x3, w1, sum3_1);
            V x4 = V.Broadcast(Unsafe.Add(ref x, 4));
            sum4_0 = V.MultiplyAdd(x4, w0, sum4_0);
            sum4_1 = V.MultiplyAdd(x4, w1, sum4_1);
            V x5 = V.Broadcast(Unsafe.Add(ref x, 5));
            sum5_0 = V.MultiplyAdd(x5, w0, sum5_0);
            sum5_1 = V.MultiplyAdd(x5, w1, sum5_1);
            V x6 = V.Broadcast(Unsafe.Add(ref x, 6));
            sum6_0 = V.MultiplyAdd(x6, w0, sum6_0);
            sum6_1 = V.MultiplyAdd(x6, w1, sum6_1);
            V x7 = V.Broadcast(Unsafe.Add(ref x, 7));
            sum7_0 = V.MultiplyAdd(x7, w0, sum7_0);
            sum7_1 = V.MultiplyAdd(x7, w1, sum7_1);
            V x8 = V.Broadcast(Unsafe.Add(ref x, 8));
            sum8_0 = V.MultiplyAdd(x8, w0, sum8_0);
            sum8_1 = V.MultiplyAdd(x8, w1, sum8_1);
            V x9 = V.Broadcast(Unsafe.Add(ref x, 9));
            sum9_0 = V.MultiplyAdd(x9, w0, sum9_0);
            sum9_1 = V.MultiplyAdd(x9, w1, sum9_1);
            V x10 = V.Broadcast(Unsafe.Add(ref x, 10));
            sum10_0 = V.MultiplyAdd(x10, w0, sum10_0);
            sum10_1 = V.MultiplyAdd(x10, w1, sum10_1);
            V x11 = V.Broadcast(Unsafe.Add(ref x, 11));
            sum11_0 = V.MultiplyAdd(x11, w0, sum11_0);
            sum11_1 = V.MultiplyAdd(x11, w1, sum11_1);
            x = ref Unsafe.Add(ref x, inputWidth);
            w = ref Unsafe.Add(ref w, 2 * V.Count);
        }

        StorePair(sum0_0, sum0_1, ref outputs, accumulate);
        StorePair(sum1_0, sum1_1, ref Unsafe.Add(ref outputs, 1 * stride), accumulate);
        StorePair(sum2_0, sum2_1, ref Unsafe.Add(ref outputs, 2 * stride), accumulate);
        StorePair(sum3_0, sum3_1, ref Unsafe.Add(ref outputs, 3 * stride), accumulate);
        StorePair(sum4_0, sum4_1, ref Unsafe.Add(ref outputs, 4 * stride), accumulate);
        StorePair(sum5_0, sum5_1, ref Unsafe.Add(ref outputs, 5 * stride), accumulate);
        StorePair(sum6_0, sum6_1, ref Unsafe.Add(ref outputs, 6 * stride), accumulate);
        StorePair(sum7_0, sum7_1, ref Unsafe.Add(ref outputs, 7 * stride), accumulate);
        StorePair(sum8_0, sum8_1, ref Unsafe.Add(ref outputs, 8 * stride), accumulate);
        StorePair(sum9_0, sum9_1, ref Unsafe.Add(ref outputs, 9 * stride), accumulate);
        StorePair(sum10_0, sum10_1, ref Unsafe.Add(ref outputs, 10 * stride), accumulate);
        StorePair(sum11_0, sum11_1, ref Unsafe.Add(ref outputs, 11 * stride), accumulate);
    }

    /// <summary>6 rows by two vectors: 12 accumulators, two weights and one input in registers.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Multiply6(ref readonly float inputs, int inputWidth, ref readonly float weights, int depth, ref float outputs, int stride, bool accumulate)
    {
        ref float x = ref Unsafe.AsRef(in inputs);
        ref float w = ref Unsafe.AsRef(in weights);
        V sum0_0 = V.Zero, sum0_1 = V.Zero;
        V sum1_0 = V.Zero, sum1_1 = V.Zero;
        V sum2_0 = V.Zero, sum2_1 = V.Zero;
        V sum3_0 = V.Zero, sum3_1 = V.Zero;
        V sum4_0 = V.Zero, sum4_1 = V.Zero;
        V sum5_0 = V.Zero, sum5_1 = V.Zero;
        for (int k = 0; k < depth; k++)
        {
            V w0 = V.Load(ref w);
            V w1 = V.Load(ref Unsafe.Add(ref w, V.Count));
            V x0 = V.Broadcast(x);
            sum0_0 = V.MultiplyAdd(x0, w0, sum0_0);
            sum0_1 = V.MultiplyAdd(x0, w1, sum0_1);
            V x1 = V.Broadcast(Unsafe.Add(ref x, 1));
            sum1_0 = V.MultiplyAdd(x1, w0, sum1_0);
            sum1_1 = V.MultiplyAdd(x1, w1, sum1_1);
            V x2 = V.Broadcast(Unsafe.Add(ref x, 2));
            sum2_0 = V.MultiplyAdd(x2, w0, sum2_0);
            sum2_1 = V.MultiplyAdd(x2, w1, sum2_1);
            V x3 = V.Broadcast(Unsafe.Add(ref x, 3));
            sum3_0 = V.MultiplyAdd(x3, w0, sum3_0);
            sum3_1 = V.MultiplyAdd(x3, w1, sum3_1);
            V x4 = V.Broadcast(Unsafe.Add(ref x, 4));
            sum4_0 = V.MultiplyAdd(x4, w0, sum4_0);
            sum4_1 = V.MultiplyAdd(x4, w1, sum4_1);
            V x5 = V.Broadcast(Unsafe.Add(ref x, 5));
            sum5_0 = V.MultiplyAdd(x5, w0, sum5_0);
            sum5_1 = V.MultiplyAdd(x5, w1, sum5_1);
            x = ref Unsafe.Add(ref x, inputWidth);
            w = ref Unsafe.Add(ref w, 2 * V.Count);
        }

        StorePair(sum0_0, sum0_1, ref outputs, accumulate);
        StorePair(sum1_0, sum1_1, ref Unsafe.Add(ref outputs, 1 * stride), accumulate);
        StorePair(sum2_0, sum2_1, ref Unsafe.Add(ref outputs, 2 * stride), accumulate);
        StorePair(sum3_0, sum3_1, ref Unsafe.Add(ref outputs, 3 * stride), accumulate);
        StorePair(sum4_0, sum4_1, ref Unsafe.Add(ref outputs, 4 * stride), accumulate);
        StorePair(sum5_0, sum5_1, ref Unsafe.Add(ref outputs, 5 * stride), accumulate);
    }

    /// <summary>4 rows by two vectors: what remains of many rows.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Multiply4(ref readonly float inputs, int inputWidth, ref readonly float weights, int depth, ref float outputs, int stride, bool accumulate)
    {
        ref float x = ref Unsafe.AsRef(in inputs);
        ref float w = ref Unsafe.AsRef(in weights);
        V sum0_0 = V.Zero, sum0_1 = V.Zero;
        V sum1_0 = V.Zero, sum1_1 = V.Zero;
        V sum2_0 = V.Zero, sum2_1 = V.Zero;
        V sum3_0 = V.Zero, sum3_1 = V.Zero;
        for (int k = 0; k < depth; k++)
        {
            V w0 = V.Load(ref w);
            V w1 = V.Load(ref Unsafe.Add(ref w, V.Count));
            V x0 = V.Broadcast(x);
            sum0_0 = V.MultiplyAdd(x0, w0, sum0_0);
            sum0_1 = V.MultiplyAdd(x0, w1, sum0_1);
            V x1 = V.Broadcast(Unsafe.Add(ref x, 1));
            sum1_0 = V.MultiplyAdd(x1, w0, sum1_0);
            sum1_1 = V.MultiplyAdd(x1, w1, sum1_1);
            V x2 = V.Broadcast(Unsafe.Add(ref x, 2));
            sum2_0 = V.MultiplyAdd(x2, w0, sum2_0);
            sum2_1 = V.MultiplyAdd(x2, w1, sum2_1);
            V x3 = V.Broadcast(Unsafe.Add(ref x, 3));
            sum3_0 = V.MultiplyAdd(x3, w0, sum3_0);
            sum3_1 = V.MultiplyAdd(x3, w1, sum3_1);
            x = ref Unsafe.Add(ref x, inputWidth);
            w = ref Unsafe.Add(ref w, 2 * V.Count);
        }

        StorePair(sum0_0, sum0_1, ref outputs, accumulate);
        StorePair(sum1_0, sum1_1, ref Unsafe.Add(ref outputs, 1 * stride), accumulate);
        StorePair(sum2_0, sum2_1, ref Unsafe.Add(ref outputs, 2 * stride), accumulate);
        StorePair(sum3_0, sum3_1, ref Unsafe.Add(ref outputs, 3 * stride), accumulate);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StorePair(V first, V second, ref float destination, bool accumulate)
    {
        ref float upper = ref Unsafe.Add(ref destination, V.Count);
        if (accumulate)
        {
            first = V.Add(V.Load(ref destination), first);
            second = V.Add(V.Load(ref upper), second);
        }

        V.Store(first, ref destination);
        V.Store(second, ref upper);
    }
}
