using System.Runtime.CompilerServices;

namespace MlaGen.Runtime;

/// <summary>Products on <c>vdpbf16ps</c>: inputs are rounded to bfloat16, pairs of them broadcast, outputs lie in lanes.</summary>
internal sealed class PairProductCore() : MatrixProductCore(terms: 1, stepDepth: 2, pairedDepth: 256)
{
    private const int TileRows = 12;
    private const int RestRows = 4;

    public override CoreTarget Target => CoreTarget.Avx512Bf16;

    public override MlaPrecision Precision => MlaPrecision.Medium;

    protected override MachineRoutine WholeTiles => ProductRoutines.PairRows12;

    protected override MachineRoutine RestTiles => ProductRoutines.PairRows4;

    protected override MachineRoutine RowByStrip => ProductRoutines.PairRow8;

    protected override MachineRoutine RowByPanel => ProductRoutines.PairRow1;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    protected override void MultiplyTiles(ref ProductArguments arguments, int rows)
    {
        // As few instructions as possible: what is left of whole tiles takes tiles of four, or a whole one where that is most of it.
        int tiles = (rows + TileRows - (2 * RestRows) - 1) / TileRows;
        int rest = rows - (tiles * TileRows);
        ProductArguments given = arguments;
        if (tiles > 0)
        {
            given.Tiles = tiles;
            MultiplyWholeTiles(ref given);
        }

        if (rest > 0)
        {
            given.Rows += tiles * TileRows * BFloat16Packing.RowBytes;
            given.Sums += tiles * TileRows * SumStride * sizeof(float);
            given.Tiles = (rest + RestRows - 1) / RestRows;
            MultiplyRestTiles(ref given);
        }
    }
}
