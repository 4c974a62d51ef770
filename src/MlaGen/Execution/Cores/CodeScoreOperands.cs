using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace MlaGen.Runtime;

/// <summary>
/// Codes of 16 bits with a scale for each vector, in planes of bytes: <c>[panel][2][depth / 64]</c> tiles of sixteen by sixteen words, of four elements of the depth each.
/// Scales stand behind a tile's keys, and behind a panel's queries.
/// </summary>
internal sealed class CodeScoreOperands(DecompressedTileCore core) : ScoreOperands
{
    private const int Width = PlaneQuantization.Width;

    /// <summary>Bytes of a tile, and of one of its rows.</summary>
    private const int TileBytes = Width * PlaneQuantization.Step;

    private int Depth => core.Tiles.KeyDepth;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void PackQueries(ref float floats, int first, float scale, ref float panel)
    {
        ref float scales = ref Unsafe.Add(ref panel, core.QueryScales + first);
        PlaneQuantization.QuantizePanel(ref floats, Depth, ref Unsafe.As<float, uint>(ref Unsafe.Add(ref panel, first * core.Layout.KeyStride)), ref scales);
        (Vector512.LoadUnsafe(ref scales) * scale).StoreUnsafe(ref scales);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void TakeKey(ref float key, int token, ref float keys)
    {
        ref byte panel = ref Unsafe.As<float, byte>(ref Unsafe.Add(ref keys, token / Width * Width * core.Layout.KeyStride));
        ref byte row = ref Unsafe.Add(ref panel, token % Width * PlaneQuantization.Step);
        Unsafe.Add(ref keys, core.KeyScales + token) = PlaneQuantization.Quantize(ref key, Depth, ref row, TileBytes, Width * Depth);
    }
}
