using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace MlaGen.Runtime;

/// <summary>
/// Keys and queries of a core of tiles: codes with a scale for each vector, in planes of bytes, <c>[panel][planes][depth / 64]</c> tiles of sixteen by sixteen words, of four elements of the depth each.
/// Scales stand behind a tile's keys, and behind a panel's queries.
/// </summary>
internal sealed class CodeScoreOperands(DecompressedTileCore core)
{
    private const int Width = PlaneQuantization.Width;

    /// <summary>Bytes of a tile, and of one of its rows.</summary>
    private const int TileBytes = Width * PlaneQuantization.Step;

    private int Depth => core.Tiles.KeyDepth;

    private int Planes => core.Tiles.KeyPlanes;

    /// <summary>Packs sixteen queries, scaled.</summary>
    /// <param name="floats">The queries, <c>[depth][16]</c>, and zeros to the padded depth.</param>
    /// <param name="first">Which of a panel they begin at.</param>
    /// <param name="scale">Factor on every element.</param>
    /// <param name="panel">The panel.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void PackQueries(ref float floats, int first, float scale, ref float panel)
    {
        ref float scales = ref Unsafe.Add(ref panel, core.QueryScales + first);
        PlaneQuantization.QuantizePanel(ref floats, Depth, Planes, ref Unsafe.As<float, uint>(ref Unsafe.Add(ref panel, first * core.Layout.KeyStride)), ref scales);
        (Vector512.LoadUnsafe(ref scales) * scale).StoreUnsafe(ref scales);
    }

    /// <summary>Writes a key.</summary>
    /// <param name="key">Its elements, and zeros to the padded depth.</param>
    /// <param name="token">Which of a tile it is.</param>
    /// <param name="keys">The tile.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void TakeKey(ref float key, int token, ref float keys)
    {
        ref byte panel = ref Unsafe.As<float, byte>(ref Unsafe.Add(ref keys, token / Width * Width * core.Layout.KeyStride));
        ref byte row = ref Unsafe.Add(ref panel, token % Width * PlaneQuantization.Step);
        Unsafe.Add(ref keys, core.KeyScales + token) = PlaneQuantization.Quantize(ref key, Depth, Planes, ref row, TileBytes, Width * Depth);
    }
}
