using System.Runtime.CompilerServices;

namespace MlaGen.Runtime;

/// <summary>
/// Products on tiles (<c>tdpbf16ps</c>): inputs are taken as one term of bfloat16 or as two. Few rows are multiplied on vectors, in the order and with the rounding of
/// tiles, so that one of them has the bits that it has among many, and needs no thread that may use tiles.
/// </summary>
internal sealed unsafe class TileProductCore(MlaPrecision precision) : MatrixProductCore(terms: precision == MlaPrecision.High ? 2 : 1, stepDepth: 32, pairedDepth: 512)
{
    private const int TileRows = 16;

    private nint _rows32;
    private nint _rows16;
    private nint _row8;
    private nint _row1;

    public override CoreTarget Target => CoreTarget.Amx;

    public override MlaPrecision Precision => precision;

    protected override string? WriteRoutines()
    {
        bool isHigh = precision == MlaPrecision.High;
        MachineRoutine rows32 = isHigh ? ProductRoutines.TileRows32High : ProductRoutines.TileRows32Medium;
        MachineRoutine rows16 = isHigh ? ProductRoutines.TileRows16High : ProductRoutines.TileRows16Medium;
        MachineRoutine row8 = isHigh ? ProductRoutines.TileRow8High : ProductRoutines.TileRow8Medium;
        MachineRoutine row1 = isHigh ? ProductRoutines.TileRow1High : ProductRoutines.TileRow1Medium;
        Span<nint> addresses = stackalloc nint[4];
        if (ExecutableMemory.TryWrite([rows32.Code.ToArray(), rows16.Code.ToArray(), row8.Code.ToArray(), row1.Code.ToArray()], addresses) is { } refusal)
        {
            return refusal;
        }

        _rows32 = addresses[0] + rows32.Entry;
        _rows16 = addresses[1] + rows16.Entry;
        _row8 = addresses[2] + row8.Entry;
        _row1 = addresses[3] + row1.Entry;
        return null;
    }

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
            ((delegate* unmanaged<ProductArguments*, void>)_rows32)(&given);
        }

        if (rest > 0)
        {
            given.Rows += pairs * 2 * TileRows * Rows.RowFloats * sizeof(float);
            given.Sums += pairs * 2 * TileRows * SumStride * sizeof(float);
            given.Tiles = 1;
            ((delegate* unmanaged<ProductArguments*, void>)_rows16)(&given);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    protected override void MultiplyPanels(ref ProductArguments arguments, bool isStrip)
    {
        fixed (ProductArguments* given = &arguments)
        {
            ((delegate* unmanaged<ProductArguments*, void>)(isStrip ? _row8 : _row1))(given);
        }
    }
}
