using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace MlaGen.Runtime;

/// <content>Rows and the transpose of panels. A row's sums are formed in the same order alone and beside three others, which share what is loaded of the weights.</content>
internal sealed partial class PanelProducts<V, F>
{
    /// <summary>Rows that share what is loaded of the weights.</summary>
    private const int TransposedRows = 4;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void MultiplyTransposed(PackedMatrix matrix, int firstPanel, ref readonly float rows, int count, int panels, ref float result, nint stride)
    {
        ref float inputs = ref Unsafe.AsRef(in rows);
        for (; count >= TransposedRows; count -= TransposedRows)
        {
            RowsByTransposed(matrix, firstPanel, ref inputs, panels, ref result, stride);
            inputs = ref Unsafe.Add(ref inputs, TransposedRows * panels * PanelWidth);
            result = ref Unsafe.Add(ref result, TransposedRows * stride);
        }

        for (; count > 0; count--)
        {
            RowByTransposed(matrix, firstPanel, ref inputs, panels, MemoryMarshal.CreateSpan(ref result, matrix.Columns));
            inputs = ref Unsafe.Add(ref inputs, panels * PanelWidth);
            result = ref Unsafe.Add(ref result, stride);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void RowsByTransposed(PackedMatrix matrix, int firstPanel, ref float inputs, int panels, ref float result, nint stride)
    {
        ref byte panel = ref matrix.Panel(firstPanel);
        int panelBytes = matrix.PanelBytes;
        nint width = panels * PanelWidth;
        Span<float> sums = stackalloc float[TransposedRows];
        ref float sum = ref MemoryMarshal.GetReference(sums);
        for (int k = 0; k < matrix.Columns; k += 2)
        {
            // Both are of one group; a last one without another is taken twice.
            nint other = k + 1 < matrix.Columns ? 1 : 0;
            int inGroup = F.GroupBytes + (k % F.GroupDepth * F.DepthBytes);
            ref byte w = ref Unsafe.Add(ref panel, GroupStart(k) + inGroup);
            ref float x = ref inputs;
            V sum0 = V.Zero, sum1 = V.Zero, sum2 = V.Zero, sum3 = V.Zero;
            V other0 = V.Zero, other1 = V.Zero, other2 = V.Zero, other3 = V.Zero;
            for (int i = 0; i < panels; i++)
            {
                for (int lane = 0; lane < PanelWidth; lane += V.Count)
                {
                    V scales = F.LoadScales<V>(ref Unsafe.Subtract(ref w, inGroup), lane);
                    V weight = F.Load(ref w, lane, scales);
                    V weightOther = F.Load(ref Unsafe.Add(ref w, other * F.DepthBytes), lane, scales);
                    V input = Input(ref Unsafe.Add(ref x, lane), scales);
                    sum0 = V.MultiplyAdd(input, weight, sum0);
                    other0 = V.MultiplyAdd(input, weightOther, other0);
                    input = Input(ref Unsafe.Add(ref x, width + lane), scales);
                    sum1 = V.MultiplyAdd(input, weight, sum1);
                    other1 = V.MultiplyAdd(input, weightOther, other1);
                    input = Input(ref Unsafe.Add(ref x, (2 * width) + lane), scales);
                    sum2 = V.MultiplyAdd(input, weight, sum2);
                    other2 = V.MultiplyAdd(input, weightOther, other2);
                    input = Input(ref Unsafe.Add(ref x, (3 * width) + lane), scales);
                    sum3 = V.MultiplyAdd(input, weight, sum3);
                    other3 = V.MultiplyAdd(input, weightOther, other3);
                }

                x = ref Unsafe.Add(ref x, PanelWidth);
                w = ref Unsafe.Add(ref w, panelBytes);
            }

            V.StoreSums(sum0, sum1, sum2, sum3, ref sum);
            Scatter(ref sum, ref Unsafe.Add(ref result, k), stride);
            V.StoreSums(other0, other1, other2, other3, ref sum);
            Scatter(ref sum, ref Unsafe.Add(ref result, k + other), stride);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Input(ref float input, V scales) => F.ScalesSums ? V.Multiply(V.Load(ref input), scales) : V.Load(ref input);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Scatter(ref float sums, ref float result, nint stride)
    {
        result = sums;
        Unsafe.Add(ref result, stride) = Unsafe.Add(ref sums, 1);
        Unsafe.Add(ref result, 2 * stride) = Unsafe.Add(ref sums, 2);
        Unsafe.Add(ref result, 3 * stride) = Unsafe.Add(ref sums, 3);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void RowByTransposed(PackedMatrix matrix, int firstPanel, ref float inputs, int panels, Span<float> result)
    {
        ref byte panel = ref matrix.Panel(firstPanel);
        int panelBytes = matrix.PanelBytes;
        const int Together = 4;
        Span<float> sums = stackalloc float[Together];
        for (int k = 0; k < result.Length; k += Together)
        {
            // Four at a time: the sums across lanes then come as one vector, and all four are of one group. Where fewer are left, the last one stands in for those beyond.
            int count = Math.Min(Together, result.Length - k);
            nint o1 = Math.Min(1, count - 1) * F.DepthBytes;
            nint o2 = Math.Min(2, count - 1) * F.DepthBytes;
            nint o3 = Math.Min(3, count - 1) * F.DepthBytes;
            int inGroup = F.GroupBytes + (k % F.GroupDepth * F.DepthBytes);
            ref byte w = ref Unsafe.Add(ref panel, GroupStart(k) + inGroup);
            ref float x = ref inputs;
            V sum0 = V.Zero, sum1 = V.Zero, sum2 = V.Zero, sum3 = V.Zero;
            for (int i = 0; i < panels; i++)
            {
                for (int lane = 0; lane < PanelWidth; lane += V.Count)
                {
                    V scales = F.LoadScales<V>(ref Unsafe.Subtract(ref w, inGroup), lane);
                    V input = Input(ref Unsafe.Add(ref x, lane), scales);
                    sum0 = V.MultiplyAdd(input, F.Load(ref w, lane, scales), sum0);
                    sum1 = V.MultiplyAdd(input, F.Load(ref Unsafe.Add(ref w, o1), lane, scales), sum1);
                    sum2 = V.MultiplyAdd(input, F.Load(ref Unsafe.Add(ref w, o2), lane, scales), sum2);
                    sum3 = V.MultiplyAdd(input, F.Load(ref Unsafe.Add(ref w, o3), lane, scales), sum3);
                }

                x = ref Unsafe.Add(ref x, PanelWidth);
                w = ref Unsafe.Add(ref w, panelBytes);
            }

            V.StoreSums(sum0, sum1, sum2, sum3, ref MemoryMarshal.GetReference(sums));
            sums[..count].CopyTo(result[k..]);
        }
    }
}
