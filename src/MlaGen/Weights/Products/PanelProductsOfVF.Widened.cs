using System.Runtime.CompilerServices;

namespace MlaGen.Runtime;

/// <content>Weights as floats, for those who bring them into another form.</content>
internal sealed partial class PanelProducts<V, F>
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void WidenPanel(PackedMatrix matrix, int panel, ref float widened)
    {
        for (int lane = 0; lane < PanelWidth; lane += V.Count)
        {
            ref byte source = ref matrix.Panel(panel);
            ref float target = ref Unsafe.Add(ref widened, lane);
            for (int left = matrix.Columns; left > 0; left -= F.GroupDepth)
            {
                V scales = F.LoadScales<V>(ref source, lane);
                source = ref Unsafe.Add(ref source, F.GroupBytes);
                for (int k = Math.Min(F.GroupDepth, left); k > 0; k--)
                {
                    V weights = F.Load(ref source, lane, scales);
                    V.Store(F.ScalesSums ? V.Multiply(weights, scales) : weights, ref target);
                    source = ref Unsafe.Add(ref source, F.DepthBytes);
                    target = ref Unsafe.Add(ref target, PanelWidth);
                }
            }
        }
    }
}
