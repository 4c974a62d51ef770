using System.Runtime.CompilerServices;

namespace MlaGen.Runtime;

/// <summary>Sums of terms of bfloat16, as <see cref="TermKeyTiles"/> lays them out.</summary>
internal sealed class TermScoreOperands(DecompressedTileCore core) : ScoreOperands
{
    private const int Width = DecompressedTileCore.TileRows;

    private int Depth => core.Tiles.KeyDepth;

    private int Terms => core.Tiles.KeyTerms;

    public override void PackQueries(ref float floats, int first, float scale, ref float panel)
        => TermTiles.Pair(ref floats, Depth, scale, Terms, ref Unsafe.As<float, uint>(ref Unsafe.Add(ref panel, first * core.Layout.KeyStride)));

    public override void TakeKey(ref float key, int token, ref float keys)
    {
        ref ushort terms = ref Unsafe.As<float, ushort>(ref TermTiles.Row(ref keys, token, Width * core.Layout.KeyStride));
        BFloat16Lanes.Split(ref key, Depth, Terms, ref terms, TermTiles.Elements, Width * Depth);
    }
}
