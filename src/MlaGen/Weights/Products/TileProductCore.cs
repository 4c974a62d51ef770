using System.Runtime.CompilerServices;

namespace MlaGen.Runtime;

/// <summary>
/// Products on tiles (<c>tdpbf16ps</c>): inputs are taken as one term of bfloat16 or as two. Few rows are multiplied on vectors, in the order and with the rounding of
/// tiles, so that one of them has the bits that it has among many, and needs no thread that may use tiles.
/// </summary>
internal sealed class TileProductCore(MlaPrecision precision) : MatrixProductCore(terms: precision == MlaPrecision.High ? 2 : 1, stepDepth: 32, pairedDepth: 512)
{
    private const int TileRows = 16;

    public override CoreTarget Target => CoreTarget.Amx;

    public override MlaPrecision Precision => precision;

    protected override MachineRoutine WholeTiles => IsHigh ? ProductRoutines.TileRows32High : ProductRoutines.TileRows32Medium;

    protected override MachineRoutine RestTiles => IsHigh ? ProductRoutines.TileRows16High : ProductRoutines.TileRows16Medium;

    protected override MachineRoutine RowByStrip => IsHigh ? ProductRoutines.TileRow8High : ProductRoutines.TileRow8Medium;

    protected override MachineRoutine RowByPanel => IsHigh ? ProductRoutines.TileRow1High : ProductRoutines.TileRow1Medium;

    private bool IsHigh => precision == MlaPrecision.High;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    protected override void MultiplyTiles(ref ProductArguments arguments, int rows)
    {
        if (!TileThread.IsPrepared)
        {
            throw new InvalidOperationException("Tiles are used on an executor's own threads alone: this one is not.");
        }

        // Two tiles of rows at a time load half as often as they multiply; a last one may be alone.
        int pairs = (rows + TileRows - 1) / (2 * TileRows);
        int rest = rows - (pairs * 2 * TileRows);
        ProductArguments given = arguments;
        if (pairs > 0)
        {
            given.Tiles = pairs;
            MultiplyWholeTiles(ref given);
        }

        if (rest > 0)
        {
            given.Rows += pairs * 2 * TileRows * Rows.RowFloats * sizeof(float);
            given.Sums += pairs * 2 * TileRows * SumStride * sizeof(float);
            given.Tiles = 1;
            MultiplyRestTiles(ref given);
        }
    }
}
