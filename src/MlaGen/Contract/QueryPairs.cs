using System.ComponentModel;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace MlaGen.Runtime;

/// <summary>
/// Queries of bfloat16 in panels of sixteen columns, <c>[depth / 2][terms][16][2]</c>: the two elements of a pair lie beside each other, columns in vector lanes.
/// With two terms the second is what the first leaves of the query, rounded as well.
/// </summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public sealed class QueryPairs : QueryPacking
{
    /// <summary>Columns of a panel.</summary>
    internal const int Width = 16;

    private readonly int _terms;

    /// <summary>Describes the panels.</summary>
    /// <param name="columns">Columns, a multiple of sixteen.</param>
    /// <param name="terms">Terms of a query: 1 or 2.</param>
    public QueryPairs(int columns, int terms)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(columns % Width, 0);
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)(terms - 1), 1u);
        Columns = columns;
        _terms = terms;
    }

    internal override int Columns { get; }

    internal override int PanelCount => Columns / Width;

    // Floats are turned where they come to lie; a pair of two terms takes as much room as its two floats.
    internal override int Length(int depth) => Columns * depth;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal override void Pack(int panel, ref float queries, int heads, int depth, float scale, ref float packed)
    {
        int first = panel * Width;
        ref float floats = ref Unsafe.Add(ref packed, first * depth);
        PanelPacking.Pack(ref Unsafe.Add(ref queries, first * depth), depth, Math.Min(Width, heads - first), depth, scale, ref floats, Width);
        ref uint pairs = ref Unsafe.As<float, uint>(ref floats);
        for (int d = 0; d < depth; d += 2)
        {
            var one = Vector512.LoadUnsafe(ref floats, (nuint)(d * Width));
            var two = Vector512.LoadUnsafe(ref floats, (nuint)((d + 1) * Width));
            Vector512<uint> firstOne = BFloat16Lanes.Round(one);
            Vector512<uint> firstTwo = BFloat16Lanes.Round(two);
            ref uint pair = ref Unsafe.Add(ref pairs, d / 2 * _terms * Width);
            BFloat16Lanes.Pair(firstOne, firstTwo).StoreUnsafe(ref pair);
            if (_terms == 2)
            {
                BFloat16Lanes.Pair(BFloat16Lanes.Rest(one, firstOne), BFloat16Lanes.Rest(two, firstTwo)).StoreUnsafe(ref pair, Width);
            }
        }
    }
}
