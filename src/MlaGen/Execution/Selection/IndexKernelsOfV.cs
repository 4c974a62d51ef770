using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace MlaGen.Runtime;

/// <summary>Scores of a sparse indexer, for one tier.</summary>
/// <typeparam name="V">Vector of the tier.</typeparam>
internal sealed class IndexKernels<V> : IndexKernels
    where V : struct, ILanes<V>
{
    public override int PaddedHeads(int heads) => (heads + V.Count - 1) / V.Count * V.Count;

    public override int ScratchLength(int depth) => (TileKeys * V.Count) + TileKeys + (TileKeys * depth);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Pack(ref float queries, int heads, int depth, ref float packed)
    {
        for (int first = 0; first < heads;)
        {
            int width = PanelWidth(heads - first);
            PanelPacking.Pack(ref Unsafe.Add(ref queries, first * depth), depth, Math.Min(width, heads - first), depth, 1f, ref Unsafe.Add(ref packed, first * depth), width);
            first += width;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Score(ref float keys, int count, int depth, ref float queries, int heads, ref float weights, ref float scores, ref float scratch, ref byte upcoming, nint upcomingBytes)
    {
        // Line after line, as evenly as the loops go: all at once would wait for each other.
        int tiles = (count + TileKeys - 1) / TileKeys;
        nint tileBytes = upcomingBytes / tiles;
        nint step = tileBytes / (Passes(heads) * depth);
        ref float sums = ref scratch;
        ref float rest = ref Unsafe.Add(ref scratch, TileKeys * V.Count);
        ref float padded = ref Unsafe.Add(ref rest, TileKeys);
        int first = 0;
        for (; first + TileKeys <= count; first += TileKeys)
        {
            ScoreTile(ref Unsafe.Add(ref keys, first * depth), depth, ref queries, heads, ref weights, ref sums, ref Unsafe.Add(ref scores, first), ref upcoming, first / TileKeys * tileBytes, step);
        }

        if (first < count)
        {
            // The tile's other keys are whatever lies there: no score depends on another key.
            MemoryMarshal.CreateSpan(ref Unsafe.Add(ref keys, first * depth), (count - first) * depth).CopyTo(MemoryMarshal.CreateSpan(ref padded, TileKeys * depth));
            ScoreTile(ref padded, depth, ref queries, heads, ref weights, ref sums, ref rest, ref upcoming, first / TileKeys * tileBytes, step);
            MemoryMarshal.CreateSpan(ref rest, count - first).CopyTo(MemoryMarshal.CreateSpan(ref Unsafe.Add(ref scores, first), count - first));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Pool(ref float rows, int pools, int poolTokens, int depth, ref readonly float embedding, ref float keys)
    {
        ref float place = ref Unsafe.AsRef(in embedding);
        for (int pool = 0; pool < pools; pool++)
        {
            ref float first = ref Unsafe.Add(ref rows, pool * poolTokens * 2 * depth);
            ref float key = ref Unsafe.Add(ref keys, pool * depth);
            int d = 0;
            for (; d + V.Count <= depth; d += V.Count)
            {
                V.Store(PoolElements<V>(ref Unsafe.Add(ref first, d), poolTokens, depth, ref Unsafe.Add(ref place, d)), ref Unsafe.Add(ref key, d));
            }

            for (; d < depth; d++)
            {
                Lanes1.Store(PoolElements<Lanes1>(ref Unsafe.Add(ref first, d), poolTokens, depth, ref Unsafe.Add(ref place, d)), ref Unsafe.Add(ref key, d));
            }
        }
    }

    /// <summary>A vector of elements of a pool's key.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static L PoolElements<L>(ref float first, int poolTokens, int depth, ref float place)
        where L : struct, ILanes<L>
    {
        L most = L.Broadcast(float.NegativeInfinity);
        for (int token = 0; token < poolTokens; token++)
        {
            most = L.Max(most, Logit(token, ref first, ref place));
        }

        L keys = L.Zero;
        L sum = L.Zero;
        for (int token = 0; token < poolTokens; token++)
        {
            L weight = L.Exp(L.Subtract(Logit(token, ref first, ref place), most));
            sum = L.Add(sum, weight);
            keys = L.MultiplyAdd(L.Load(ref Unsafe.Add(ref first, token * 2 * depth)), weight, keys);
        }

        return L.Divide(keys, sum);

        L Logit(int token, ref float key, ref float added) => L.Add(L.Load(ref Unsafe.Add(ref key, ((token * 2) + 1) * depth)), L.Load(ref Unsafe.Add(ref added, token * depth)));
    }

    /// <summary>Times that a tile's keys are gone through.</summary>
    private static int Passes(int heads) => (V.Count is 16 or 4 ? 1 : 2) * ((heads + (2 * V.Count) - 1) / (2 * V.Count));

    /// <summary>Heads of the next panel when so many remain.</summary>
    private static int PanelWidth(int heads) => heads > V.Count ? 2 * V.Count : V.Count;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void ScoreTile(ref float keys, int depth, ref float queries, int heads, ref float weights, ref float sums, ref float scores, ref byte upcoming, nint distance, nint step)
    {
        nint stride = (nint)depth * sizeof(float);
        MemoryMarshal.CreateSpan(ref sums, TileKeys * V.Count).Clear();
        for (int first = 0; first < heads;)
        {
            int width = PanelWidth(heads - first);
            ref float panel = ref Unsafe.Add(ref queries, first * depth);
            ref float panelWeights = ref Unsafe.Add(ref weights, first);
            if (width == V.Count)
            {
                Multiply12By1(ref keys, stride, ref panel, depth, ref panelWeights, ref sums, ref upcoming, distance, step);
            }
            else if (V.Count is 16 or 4)
            {
                Multiply12By2(ref keys, stride, ref panel, depth, ref panelWeights, ref sums, ref upcoming, distance, step);
            }
            else
            {
                Multiply6By2(ref keys, stride, ref panel, depth, ref panelWeights, ref sums, ref upcoming, distance, step);
                distance += depth * step;
                Multiply6By2(ref Unsafe.AddByteOffset(ref keys, 6 * stride), stride, ref panel, depth, ref panelWeights, ref Unsafe.Add(ref sums, 6 * V.Count), ref upcoming, distance, step);
            }

            distance += depth * step;
            first += width;
        }

        for (int key = 0; key < TileKeys; key += 4)
        {
            ref float four = ref Unsafe.Add(ref sums, key * V.Count);
            V.StoreSums(V.Load(ref four), V.Load(ref Unsafe.Add(ref four, V.Count)), V.Load(ref Unsafe.Add(ref four, 2 * V.Count)), V.Load(ref Unsafe.Add(ref four, 3 * V.Count)), ref Unsafe.Add(ref scores, key));
        }
    }

    /// <summary>12 keys by two vectors of heads: 24 accumulators fit 32 registers.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Multiply12By2(ref float keys, nint stride, ref float queries, int depth, ref float weights, ref float sums, ref byte upcoming, nint distance, nint step)
    {
        ref float key0 = ref keys;
        ref float key3 = ref Unsafe.AddByteOffset(ref keys, 3 * stride);
        ref float key6 = ref Unsafe.AddByteOffset(ref keys, 6 * stride);
        ref float key9 = ref Unsafe.AddByteOffset(ref keys, 9 * stride);
        nint twice = 2 * stride;
        ref float q = ref queries;
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
        for (int d = 0; d < depth; d++)
        {
            V q0 = V.Load(ref q);
            V q1 = V.Load(ref Unsafe.Add(ref q, V.Count));
            V k0 = V.Broadcast(key0);
            sum0_0 = V.MultiplyAdd(k0, q0, sum0_0);
            sum0_1 = V.MultiplyAdd(k0, q1, sum0_1);
            V k1 = V.Broadcast(Unsafe.AddByteOffset(ref key0, stride));
            sum1_0 = V.MultiplyAdd(k1, q0, sum1_0);
            sum1_1 = V.MultiplyAdd(k1, q1, sum1_1);
            V k2 = V.Broadcast(Unsafe.AddByteOffset(ref key0, twice));
            sum2_0 = V.MultiplyAdd(k2, q0, sum2_0);
            sum2_1 = V.MultiplyAdd(k2, q1, sum2_1);
            V k3 = V.Broadcast(key3);
            sum3_0 = V.MultiplyAdd(k3, q0, sum3_0);
            sum3_1 = V.MultiplyAdd(k3, q1, sum3_1);
            V k4 = V.Broadcast(Unsafe.AddByteOffset(ref key3, stride));
            sum4_0 = V.MultiplyAdd(k4, q0, sum4_0);
            sum4_1 = V.MultiplyAdd(k4, q1, sum4_1);
            V k5 = V.Broadcast(Unsafe.AddByteOffset(ref key3, twice));
            sum5_0 = V.MultiplyAdd(k5, q0, sum5_0);
            sum5_1 = V.MultiplyAdd(k5, q1, sum5_1);
            V k6 = V.Broadcast(key6);
            sum6_0 = V.MultiplyAdd(k6, q0, sum6_0);
            sum6_1 = V.MultiplyAdd(k6, q1, sum6_1);
            V k7 = V.Broadcast(Unsafe.AddByteOffset(ref key6, stride));
            sum7_0 = V.MultiplyAdd(k7, q0, sum7_0);
            sum7_1 = V.MultiplyAdd(k7, q1, sum7_1);
            V k8 = V.Broadcast(Unsafe.AddByteOffset(ref key6, twice));
            sum8_0 = V.MultiplyAdd(k8, q0, sum8_0);
            sum8_1 = V.MultiplyAdd(k8, q1, sum8_1);
            V k9 = V.Broadcast(key9);
            sum9_0 = V.MultiplyAdd(k9, q0, sum9_0);
            sum9_1 = V.MultiplyAdd(k9, q1, sum9_1);
            V k10 = V.Broadcast(Unsafe.AddByteOffset(ref key9, stride));
            sum10_0 = V.MultiplyAdd(k10, q0, sum10_0);
            sum10_1 = V.MultiplyAdd(k10, q1, sum10_1);
            V k11 = V.Broadcast(Unsafe.AddByteOffset(ref key9, twice));
            sum11_0 = V.MultiplyAdd(k11, q0, sum11_0);
            sum11_1 = V.MultiplyAdd(k11, q1, sum11_1);
            key0 = ref Unsafe.Add(ref key0, 1);
            key3 = ref Unsafe.Add(ref key3, 1);
            key6 = ref Unsafe.Add(ref key6, 1);
            key9 = ref Unsafe.Add(ref key9, 1);
            q = ref Unsafe.Add(ref q, 2 * V.Count);
            Prefetch.Ahead(ref upcoming, distance);
            distance += step;
        }

        V w0 = V.Load(ref weights);
        V w1 = V.Load(ref Unsafe.Add(ref weights, V.Count));
        AddPair(sum0_0, w0, sum0_1, w1, ref sums);
        AddPair(sum1_0, w0, sum1_1, w1, ref Unsafe.Add(ref sums, V.Count));
        AddPair(sum2_0, w0, sum2_1, w1, ref Unsafe.Add(ref sums, 2 * V.Count));
        AddPair(sum3_0, w0, sum3_1, w1, ref Unsafe.Add(ref sums, 3 * V.Count));
        AddPair(sum4_0, w0, sum4_1, w1, ref Unsafe.Add(ref sums, 4 * V.Count));
        AddPair(sum5_0, w0, sum5_1, w1, ref Unsafe.Add(ref sums, 5 * V.Count));
        AddPair(sum6_0, w0, sum6_1, w1, ref Unsafe.Add(ref sums, 6 * V.Count));
        AddPair(sum7_0, w0, sum7_1, w1, ref Unsafe.Add(ref sums, 7 * V.Count));
        AddPair(sum8_0, w0, sum8_1, w1, ref Unsafe.Add(ref sums, 8 * V.Count));
        AddPair(sum9_0, w0, sum9_1, w1, ref Unsafe.Add(ref sums, 9 * V.Count));
        AddPair(sum10_0, w0, sum10_1, w1, ref Unsafe.Add(ref sums, 10 * V.Count));
        AddPair(sum11_0, w0, sum11_1, w1, ref Unsafe.Add(ref sums, 11 * V.Count));
    }

    /// <summary>6 keys by two vectors of heads: 12 accumulators fit 16 registers.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Multiply6By2(ref float keys, nint stride, ref float queries, int depth, ref float weights, ref float sums, ref byte upcoming, nint distance, nint step)
    {
        ref float key0 = ref keys;
        ref float key3 = ref Unsafe.AddByteOffset(ref keys, 3 * stride);
        nint twice = 2 * stride;
        ref float q = ref queries;
        V sum0_0 = V.Zero, sum0_1 = V.Zero;
        V sum1_0 = V.Zero, sum1_1 = V.Zero;
        V sum2_0 = V.Zero, sum2_1 = V.Zero;
        V sum3_0 = V.Zero, sum3_1 = V.Zero;
        V sum4_0 = V.Zero, sum4_1 = V.Zero;
        V sum5_0 = V.Zero, sum5_1 = V.Zero;
        for (int d = 0; d < depth; d++)
        {
            V q0 = V.Load(ref q);
            V q1 = V.Load(ref Unsafe.Add(ref q, V.Count));
            V k0 = V.Broadcast(key0);
            sum0_0 = V.MultiplyAdd(k0, q0, sum0_0);
            sum0_1 = V.MultiplyAdd(k0, q1, sum0_1);
            V k1 = V.Broadcast(Unsafe.AddByteOffset(ref key0, stride));
            sum1_0 = V.MultiplyAdd(k1, q0, sum1_0);
            sum1_1 = V.MultiplyAdd(k1, q1, sum1_1);
            V k2 = V.Broadcast(Unsafe.AddByteOffset(ref key0, twice));
            sum2_0 = V.MultiplyAdd(k2, q0, sum2_0);
            sum2_1 = V.MultiplyAdd(k2, q1, sum2_1);
            V k3 = V.Broadcast(key3);
            sum3_0 = V.MultiplyAdd(k3, q0, sum3_0);
            sum3_1 = V.MultiplyAdd(k3, q1, sum3_1);
            V k4 = V.Broadcast(Unsafe.AddByteOffset(ref key3, stride));
            sum4_0 = V.MultiplyAdd(k4, q0, sum4_0);
            sum4_1 = V.MultiplyAdd(k4, q1, sum4_1);
            V k5 = V.Broadcast(Unsafe.AddByteOffset(ref key3, twice));
            sum5_0 = V.MultiplyAdd(k5, q0, sum5_0);
            sum5_1 = V.MultiplyAdd(k5, q1, sum5_1);
            key0 = ref Unsafe.Add(ref key0, 1);
            key3 = ref Unsafe.Add(ref key3, 1);
            q = ref Unsafe.Add(ref q, 2 * V.Count);
            Prefetch.Ahead(ref upcoming, distance);
            distance += step;
        }

        V w0 = V.Load(ref weights);
        V w1 = V.Load(ref Unsafe.Add(ref weights, V.Count));
        AddPair(sum0_0, w0, sum0_1, w1, ref sums);
        AddPair(sum1_0, w0, sum1_1, w1, ref Unsafe.Add(ref sums, V.Count));
        AddPair(sum2_0, w0, sum2_1, w1, ref Unsafe.Add(ref sums, 2 * V.Count));
        AddPair(sum3_0, w0, sum3_1, w1, ref Unsafe.Add(ref sums, 3 * V.Count));
        AddPair(sum4_0, w0, sum4_1, w1, ref Unsafe.Add(ref sums, 4 * V.Count));
        AddPair(sum5_0, w0, sum5_1, w1, ref Unsafe.Add(ref sums, 5 * V.Count));
    }

    /// <summary>12 keys by one vector of heads, which remains of an odd number of them.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Multiply12By1(ref float keys, nint stride, ref float queries, int depth, ref float weights, ref float sums, ref byte upcoming, nint distance, nint step)
    {
        ref float key0 = ref keys;
        ref float key3 = ref Unsafe.AddByteOffset(ref keys, 3 * stride);
        ref float key6 = ref Unsafe.AddByteOffset(ref keys, 6 * stride);
        ref float key9 = ref Unsafe.AddByteOffset(ref keys, 9 * stride);
        nint twice = 2 * stride;
        ref float q = ref queries;
        V sum0 = V.Zero;
        V sum1 = V.Zero;
        V sum2 = V.Zero;
        V sum3 = V.Zero;
        V sum4 = V.Zero;
        V sum5 = V.Zero;
        V sum6 = V.Zero;
        V sum7 = V.Zero;
        V sum8 = V.Zero;
        V sum9 = V.Zero;
        V sum10 = V.Zero;
        V sum11 = V.Zero;
        for (int d = 0; d < depth; d++)
        {
            V q0 = V.Load(ref q);
            V k0 = V.Broadcast(key0);
            sum0 = V.MultiplyAdd(k0, q0, sum0);
            V k1 = V.Broadcast(Unsafe.AddByteOffset(ref key0, stride));
            sum1 = V.MultiplyAdd(k1, q0, sum1);
            V k2 = V.Broadcast(Unsafe.AddByteOffset(ref key0, twice));
            sum2 = V.MultiplyAdd(k2, q0, sum2);
            V k3 = V.Broadcast(key3);
            sum3 = V.MultiplyAdd(k3, q0, sum3);
            V k4 = V.Broadcast(Unsafe.AddByteOffset(ref key3, stride));
            sum4 = V.MultiplyAdd(k4, q0, sum4);
            V k5 = V.Broadcast(Unsafe.AddByteOffset(ref key3, twice));
            sum5 = V.MultiplyAdd(k5, q0, sum5);
            V k6 = V.Broadcast(key6);
            sum6 = V.MultiplyAdd(k6, q0, sum6);
            V k7 = V.Broadcast(Unsafe.AddByteOffset(ref key6, stride));
            sum7 = V.MultiplyAdd(k7, q0, sum7);
            V k8 = V.Broadcast(Unsafe.AddByteOffset(ref key6, twice));
            sum8 = V.MultiplyAdd(k8, q0, sum8);
            V k9 = V.Broadcast(key9);
            sum9 = V.MultiplyAdd(k9, q0, sum9);
            V k10 = V.Broadcast(Unsafe.AddByteOffset(ref key9, stride));
            sum10 = V.MultiplyAdd(k10, q0, sum10);
            V k11 = V.Broadcast(Unsafe.AddByteOffset(ref key9, twice));
            sum11 = V.MultiplyAdd(k11, q0, sum11);
            key0 = ref Unsafe.Add(ref key0, 1);
            key3 = ref Unsafe.Add(ref key3, 1);
            key6 = ref Unsafe.Add(ref key6, 1);
            key9 = ref Unsafe.Add(ref key9, 1);
            q = ref Unsafe.Add(ref q, V.Count);
            Prefetch.Ahead(ref upcoming, distance);
            distance += step;
        }

        V w0 = V.Load(ref weights);
        Add(sum0, w0, ref sums);
        Add(sum1, w0, ref Unsafe.Add(ref sums, V.Count));
        Add(sum2, w0, ref Unsafe.Add(ref sums, 2 * V.Count));
        Add(sum3, w0, ref Unsafe.Add(ref sums, 3 * V.Count));
        Add(sum4, w0, ref Unsafe.Add(ref sums, 4 * V.Count));
        Add(sum5, w0, ref Unsafe.Add(ref sums, 5 * V.Count));
        Add(sum6, w0, ref Unsafe.Add(ref sums, 6 * V.Count));
        Add(sum7, w0, ref Unsafe.Add(ref sums, 7 * V.Count));
        Add(sum8, w0, ref Unsafe.Add(ref sums, 8 * V.Count));
        Add(sum9, w0, ref Unsafe.Add(ref sums, 9 * V.Count));
        Add(sum10, w0, ref Unsafe.Add(ref sums, 10 * V.Count));
        Add(sum11, w0, ref Unsafe.Add(ref sums, 11 * V.Count));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddPair(V first, V firstWeight, V second, V secondWeight, ref float sum) =>
        V.Store(V.MultiplyAdd(V.Rectify(second), secondWeight, V.MultiplyAdd(V.Rectify(first), firstWeight, V.Load(ref sum))), ref sum);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Add(V value, V weight, ref float sum) => V.Store(V.MultiplyAdd(V.Rectify(value), weight, V.Load(ref sum)), ref sum);
}
