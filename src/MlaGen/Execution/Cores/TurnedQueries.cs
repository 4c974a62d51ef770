using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace MlaGen.Runtime;

/// <summary>Queries turned into panels of sixteen, in lanes. Only where there is AVX-512.</summary>
internal static class TurnedQueries
{
    private const int Width = WordSquare.Width;

    /// <summary>Writes <c>panel[d][i] = scale · rows[i][d]</c>, and zeros in the lanes beyond the last row.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Pack(ref float rows, nint stride, int count, int depth, float scale, ref float panel)
    {
        if (count < Width || depth % Width != 0)
        {
            PanelPacking.Pack(ref rows, stride, count, depth, scale, ref panel, Width);
            return;
        }

        for (int d = 0; d < depth; d += Width)
        {
            WordSquare.Turn(ref Unsafe.As<float, uint>(ref Unsafe.Add(ref rows, d)), stride, ref Unsafe.As<float, uint>(ref Unsafe.Add(ref panel, d * Width)), Width);
        }

        for (int d = 0; d < depth; d++)
        {
            (Vector512.LoadUnsafe(ref panel, (nuint)(d * Width)) * scale).StoreUnsafe(ref panel, (nuint)(d * Width));
        }
    }
}
