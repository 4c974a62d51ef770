using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace MlaGen.Runtime;

/// <content>One row: the panels are read as one stream, as fast as memory gives them.</content>
internal sealed partial class PanelProducts<V, F>
{
    /// <summary>Vectors whose sums run beside each other: enough to hide the latency of an addition.</summary>
    private const int StripVectors = 8;

    /// <summary>Bytes of a panel that are asked for ahead of their use, beyond the page at whose end the processor's own prefetching stops.</summary>
    private const int StripPrefetch = 2048;

    /// <summary>Bytes that are asked for at a time.</summary>
    private const int CacheLine = 64;

    /// <summary>Depths of a panel in as many bytes.</summary>
    private static int LineDepth => CacheLine / F.DepthBytes;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void MultiplyRow(PackedMatrix matrix, int firstPanel, ref readonly float row, Span<float> result)
    {
        int vectors = PackedMatrix.PanelsFor(result.Length) * PanelWidth / V.Count;
        Span<float> sums = stackalloc float[StripVectors * V.Count];
        for (int vector = 0; vector < vectors;)
        {
            int count = vectors - vector >= StripVectors ? StripVectors : 1;
            if (count == StripVectors)
            {
                Strip(matrix, firstPanel, vector, in row, ref MemoryMarshal.GetReference(sums));
            }
            else
            {
                Single(matrix, firstPanel, vector, in row, ref MemoryMarshal.GetReference(sums));
            }

            int output = vector * V.Count;
            int length = Math.Min(count * V.Count, result.Length - output);
            if (length > 0)
            {
                sums[..length].CopyTo(result[output..]);
            }

            vector += count;
        }
    }

    public override void ReadRow(PackedMatrix matrix, int panel, int lane, Span<float> weights)
    {
        ref byte w = ref matrix.Panel(panel);
        for (int first = 0; first < weights.Length; first += F.GroupDepth)
        {
            Lanes1 scale = F.LoadScales<Lanes1>(ref w, lane);
            w = ref Unsafe.Add(ref w, F.GroupBytes);
            foreach (ref float weight in weights.Slice(first, Math.Min(F.GroupDepth, weights.Length - first)))
            {
                Lanes1 value = F.Load(ref w, lane, scale);
                Lanes1.Store(F.ScalesSums ? Lanes1.Multiply(value, scale) : value, ref weight);
                w = ref Unsafe.Add(ref w, F.DepthBytes);
            }
        }
    }

    /// <summary>Where a vector of a strip lies in its panel, counted from the strip's first: a constant in the loop.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Lane(int vector) => vector * V.Count % PanelWidth;

    /// <summary>Bytes from the panel of a strip's first vector to that of another.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static nint Panels(int vector, int panelBytes) => vector * V.Count / PanelWidth * (nint)panelBytes;

    /// <summary>Multiplies eight vectors of outputs; the first is the first of a panel, or its ninth where a vector is one output.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Strip(PackedMatrix matrix, int firstPanel, int vector, ref readonly float row, ref float sums)
    {
        ref float x = ref Unsafe.AsRef(in row);
        ref byte w = ref matrix.Panel(firstPanel + (vector * V.Count / PanelWidth));
        int lane = V.Count == 1 ? vector % PanelWidth : 0;
        nint p1 = Panels(1, matrix.PanelBytes);
        nint p2 = Panels(2, matrix.PanelBytes);
        nint p3 = Panels(3, matrix.PanelBytes);
        nint p4 = Panels(4, matrix.PanelBytes);
        nint p5 = Panels(5, matrix.PanelBytes);
        nint p6 = Panels(6, matrix.PanelBytes);
        nint p7 = Panels(7, matrix.PanelBytes);
        nint nextStrip = Math.Max(0, Panels(StripVectors, matrix.PanelBytes) - matrix.PanelBytes);
        nint bytes = matrix.PanelBytes;
        V total0 = V.Zero, total1 = V.Zero, total2 = V.Zero, total3 = V.Zero, total4 = V.Zero, total5 = V.Zero, total6 = V.Zero, total7 = V.Zero;
        for (int left = matrix.Columns; left > 0; left -= DepthBlock)
        {
            V sum0 = V.Zero, sum1 = V.Zero, sum2 = V.Zero, sum3 = V.Zero, sum4 = V.Zero, sum5 = V.Zero, sum6 = V.Zero, sum7 = V.Zero;
            for (int leftOfBlock = Math.Min(DepthBlock, left); leftOfBlock > 0; leftOfBlock -= F.GroupDepth)
            {
                V scales0 = F.LoadScales<V>(ref w, lane);
                V scales1 = F.LoadScales<V>(ref Unsafe.Add(ref w, p1), lane + Lane(1));
                V scales2 = F.LoadScales<V>(ref Unsafe.Add(ref w, p2), lane + Lane(2));
                V scales3 = F.LoadScales<V>(ref Unsafe.Add(ref w, p3), lane + Lane(3));
                V scales4 = F.LoadScales<V>(ref Unsafe.Add(ref w, p4), lane + Lane(4));
                V scales5 = F.LoadScales<V>(ref Unsafe.Add(ref w, p5), lane + Lane(5));
                V scales6 = F.LoadScales<V>(ref Unsafe.Add(ref w, p6), lane + Lane(6));
                V scales7 = F.LoadScales<V>(ref Unsafe.Add(ref w, p7), lane + Lane(7));
                w = ref Unsafe.Add(ref w, F.GroupBytes);
                bytes -= F.GroupBytes;
                for (int leftOfGroup = Math.Min(F.GroupDepth, leftOfBlock); leftOfGroup > 0; leftOfGroup -= LineDepth)
                {
                    // Behind the end of the panels lie those of the next strip, which others of this one are in between.
                    nint ahead = bytes > StripPrefetch ? StripPrefetch : StripPrefetch + nextStrip;
                    Prefetch.Ahead(ref w, ahead);
                    Prefetch.Ahead(ref w, p1 + ahead);
                    Prefetch.Ahead(ref w, p2 + ahead);
                    Prefetch.Ahead(ref w, p3 + ahead);
                    Prefetch.Ahead(ref w, p4 + ahead);
                    Prefetch.Ahead(ref w, p5 + ahead);
                    Prefetch.Ahead(ref w, p6 + ahead);
                    Prefetch.Ahead(ref w, p7 + ahead);
                    for (int k = Math.Min(LineDepth, leftOfGroup); k > 0; k--)
                    {
                        V input = V.Broadcast(x);
                        sum0 = V.MultiplyAdd(input, F.Load(ref w, lane, scales0), sum0);
                        sum1 = V.MultiplyAdd(input, F.Load(ref Unsafe.Add(ref w, p1), lane + Lane(1), scales1), sum1);
                        sum2 = V.MultiplyAdd(input, F.Load(ref Unsafe.Add(ref w, p2), lane + Lane(2), scales2), sum2);
                        sum3 = V.MultiplyAdd(input, F.Load(ref Unsafe.Add(ref w, p3), lane + Lane(3), scales3), sum3);
                        sum4 = V.MultiplyAdd(input, F.Load(ref Unsafe.Add(ref w, p4), lane + Lane(4), scales4), sum4);
                        sum5 = V.MultiplyAdd(input, F.Load(ref Unsafe.Add(ref w, p5), lane + Lane(5), scales5), sum5);
                        sum6 = V.MultiplyAdd(input, F.Load(ref Unsafe.Add(ref w, p6), lane + Lane(6), scales6), sum6);
                        sum7 = V.MultiplyAdd(input, F.Load(ref Unsafe.Add(ref w, p7), lane + Lane(7), scales7), sum7);
                        x = ref Unsafe.Add(ref x, 1);
                        w = ref Unsafe.Add(ref w, F.DepthBytes);
                    }

                    bytes -= CacheLine;
                }

                if (F.ScalesSums)
                {
                    total0 = V.MultiplyAdd(sum0, scales0, total0);
                    sum0 = V.Zero;
                    total1 = V.MultiplyAdd(sum1, scales1, total1);
                    sum1 = V.Zero;
                    total2 = V.MultiplyAdd(sum2, scales2, total2);
                    sum2 = V.Zero;
                    total3 = V.MultiplyAdd(sum3, scales3, total3);
                    sum3 = V.Zero;
                    total4 = V.MultiplyAdd(sum4, scales4, total4);
                    sum4 = V.Zero;
                    total5 = V.MultiplyAdd(sum5, scales5, total5);
                    sum5 = V.Zero;
                    total6 = V.MultiplyAdd(sum6, scales6, total6);
                    sum6 = V.Zero;
                    total7 = V.MultiplyAdd(sum7, scales7, total7);
                    sum7 = V.Zero;
                }
            }

            if (F.ScalesSums)
            {
                continue;
            }

            total0 = V.Add(total0, sum0);
            total1 = V.Add(total1, sum1);
            total2 = V.Add(total2, sum2);
            total3 = V.Add(total3, sum3);
            total4 = V.Add(total4, sum4);
            total5 = V.Add(total5, sum5);
            total6 = V.Add(total6, sum6);
            total7 = V.Add(total7, sum7);
        }

        V.Store(total0, ref sums);
        V.Store(total1, ref Unsafe.Add(ref sums, V.Count));
        V.Store(total2, ref Unsafe.Add(ref sums, 2 * V.Count));
        V.Store(total3, ref Unsafe.Add(ref sums, 3 * V.Count));
        V.Store(total4, ref Unsafe.Add(ref sums, 4 * V.Count));
        V.Store(total5, ref Unsafe.Add(ref sums, 5 * V.Count));
        V.Store(total6, ref Unsafe.Add(ref sums, 6 * V.Count));
        V.Store(total7, ref Unsafe.Add(ref sums, 7 * V.Count));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Single(PackedMatrix matrix, int firstPanel, int vector, ref readonly float row, ref float sums)
    {
        ref float x = ref Unsafe.AsRef(in row);
        ref byte w = ref matrix.Panel(firstPanel + (vector * V.Count / PanelWidth));
        int lane = Lane(vector);
        V total = V.Zero;
        for (int left = matrix.Columns; left > 0; left -= DepthBlock)
        {
            V sum = V.Zero;
            for (int leftOfBlock = Math.Min(DepthBlock, left); leftOfBlock > 0; leftOfBlock -= F.GroupDepth)
            {
                V scales = F.LoadScales<V>(ref w, lane);
                w = ref Unsafe.Add(ref w, F.GroupBytes);
                for (int k = Math.Min(F.GroupDepth, leftOfBlock); k > 0; k--)
                {
                    sum = V.MultiplyAdd(V.Broadcast(x), F.Load(ref w, lane, scales), sum);
                    x = ref Unsafe.Add(ref x, 1);
                    w = ref Unsafe.Add(ref w, F.DepthBytes);
                }

                if (F.ScalesSums)
                {
                    total = V.MultiplyAdd(sum, scales, total);
                    sum = V.Zero;
                }
            }

            total = F.ScalesSums ? total : V.Add(total, sum);
        }

        V.Store(total, ref sums);
    }
}
