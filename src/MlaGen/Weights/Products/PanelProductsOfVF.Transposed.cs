using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace MlaGen.Runtime;

/// <content>One row and the transpose of panels.</content>
internal sealed partial class PanelProducts<V, F>
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void MultiplyTransposed(PackedMatrix matrix, int firstPanel, ref readonly float row, int panels, Span<float> result)
    {
        ref float inputs = ref Unsafe.AsRef(in row);
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
                    V input = V.Load(ref Unsafe.Add(ref x, lane));
                    V scales = F.LoadScales<V>(ref Unsafe.Subtract(ref w, inGroup), lane);
                    if (F.ScalesSums)
                    {
                        input = V.Multiply(input, scales);
                    }

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
