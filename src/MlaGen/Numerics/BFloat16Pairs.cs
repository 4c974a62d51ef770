using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace MlaGen.Runtime;

/// <summary>Panels of sixteen columns, <c>[depth / 2][terms][16][2]</c>: the right side of products of pairs of bfloat16. Only where there is AVX-512.</summary>
internal static class BFloat16Pairs
{
    /// <summary>Columns of a panel.</summary>
    public const int Width = 16;

    /// <summary>Rounds a panel of floats <c>[depth][16]</c>, which may be the same memory. The second of two terms is what the first leaves of a float, rounded as well.</summary>
    /// <param name="floats">The floats.</param>
    /// <param name="depth">An even number.</param>
    /// <param name="terms">1 or 2.</param>
    /// <param name="pairs">Takes the pairs.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Round(ref float floats, int depth, int terms, ref uint pairs)
    {
        for (int d = 0; d < depth; d += 2)
        {
            var one = Vector512.LoadUnsafe(ref floats, (nuint)(d * Width));
            var two = Vector512.LoadUnsafe(ref floats, (nuint)((d + 1) * Width));
            Vector512<uint> firstOne = BFloat16Lanes.Round(one);
            Vector512<uint> firstTwo = BFloat16Lanes.Round(two);
            ref uint pair = ref Unsafe.Add(ref pairs, d / 2 * terms * Width);
            BFloat16Lanes.Pair(firstOne, firstTwo).StoreUnsafe(ref pair);
            if (terms == 2)
            {
                BFloat16Lanes.Pair(BFloat16Lanes.Rest(one, firstOne), BFloat16Lanes.Rest(two, firstTwo)).StoreUnsafe(ref pair, Width);
            }
        }
    }
}
