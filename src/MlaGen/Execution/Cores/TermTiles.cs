using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace MlaGen.Runtime;

/// <summary>Tiles of sixteen by sixteen words, each of them two elements of bfloat16. Only where there is AVX-512.</summary>
internal static class TermTiles
{
    /// <summary>Elements of a tile.</summary>
    public const int Elements = Width * DecompressedTileCore.Side;

    private const int Width = DecompressedTileCore.TileRows;

    /// <summary>Where a row of a panel's tiles begins.</summary>
    public static ref T Row<T>(ref T start, int row, int panelWords) => ref Unsafe.Add(ref start, (row / Width * panelWords) + (row % Width * Width));

    /// <summary>Turns whole tiles; both may be the same memory.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Turn(ref uint source, ref uint target, int words)
    {
        for (int word = 0; word < words; word += Width * Width)
        {
            WordSquare.Turn(ref Unsafe.Add(ref source, word), Width, ref Unsafe.Add(ref target, word), Width);
        }
    }

    /// <summary>Terms of a panel, <c>[depth][16]</c>, scaled, in pairs.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Pair(ref float floats, int depth, float scale, int terms, ref uint pairs)
    {
        int termWords = depth / 2 * Width;
        for (int d = 0; d < depth; d += 2)
        {
            Vector512<float> one = Vector512.LoadUnsafe(ref floats, (nuint)(d * Width)) * scale;
            Vector512<float> two = Vector512.LoadUnsafe(ref floats, (nuint)((d + 1) * Width)) * scale;
            ref uint pair = ref Unsafe.Add(ref pairs, d / 2 * Width);
            Vector512<uint> termOne = BFloat16Lanes.Round(one);
            Vector512<uint> termTwo = BFloat16Lanes.Round(two);
            BFloat16Lanes.Pair(termOne, termTwo).StoreUnsafe(ref pair);
            for (int term = 1; term < terms; term++)
            {
                one -= termOne.AsSingle();
                two -= termTwo.AsSingle();
                (termOne, termTwo) = (BFloat16Lanes.RoundFinite(one), BFloat16Lanes.RoundFinite(two));
                BFloat16Lanes.Pair(termOne, termTwo).StoreUnsafe(ref pair, (nuint)(term * termWords));
            }
        }
    }
}
