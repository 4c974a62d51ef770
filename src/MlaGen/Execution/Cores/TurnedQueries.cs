using System.Runtime.CompilerServices;

namespace MlaGen.Runtime;

/// <summary>Queries as cores take them that have queries in lanes: sixteen beside each other, depth by depth. Only where there is AVX-512.</summary>
internal static class TurnedQueries
{
    private const int Width = WordSquare.Width;

    /// <summary>Writes <c>panel[d][i] = queries[i][d]</c>, and zeros in the lanes beyond the last query.</summary>
    /// <param name="queries">First query.</param>
    /// <param name="stride">Floats from a query to the next.</param>
    /// <param name="count">Queries, at most sixteen.</param>
    /// <param name="depth">Elements of a query.</param>
    /// <param name="panel">Takes <c>depth · 16</c> floats.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Turn(ref float queries, nint stride, int count, int depth, ref float panel)
    {
        if (count < Width || depth % Width != 0)
        {
            PanelPacking.Pack(ref queries, stride, count, depth, scale: 1, ref panel, Width);
            return;
        }

        for (int d = 0; d < depth; d += Width)
        {
            WordSquare.Turn(ref Unsafe.As<float, uint>(ref Unsafe.Add(ref queries, d)), stride, ref Unsafe.As<float, uint>(ref Unsafe.Add(ref panel, d * Width)), Width);
        }
    }
}
