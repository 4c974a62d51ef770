using System.Runtime.CompilerServices;

namespace MlaGen.Runtime;

/// <summary>Products on <c>vdpbf16ps</c>: inputs are rounded to bfloat16, pairs of them broadcast, outputs lie in lanes.</summary>
internal sealed unsafe class PairProductCore() : MatrixProductCore(terms: 1, stepDepth: 2, pairedDepth: 256)
{
    private const int TileRows = 12;
    private const int RestRows = 4;

    private nint _rows12;
    private nint _rows4;
    private nint _row8;
    private nint _row1;

    public override CoreTarget Target => CoreTarget.Avx512Bf16;

    public override MlaPrecision Precision => MlaPrecision.Medium;

    protected override string? WriteRoutines()
    {
        MachineRoutine rows12 = ProductRoutines.PairRows12;
        MachineRoutine rows4 = ProductRoutines.PairRows4;
        MachineRoutine row8 = ProductRoutines.PairRow8;
        MachineRoutine row1 = ProductRoutines.PairRow1;
        Span<nint> addresses = stackalloc nint[4];
        if (ExecutableMemory.TryWrite([rows12.Code.ToArray(), rows4.Code.ToArray(), row8.Code.ToArray(), row1.Code.ToArray()], addresses) is { } refusal)
        {
            return refusal;
        }

        _rows12 = addresses[0] + rows12.Entry;
        _rows4 = addresses[1] + rows4.Entry;
        _row8 = addresses[2] + row8.Entry;
        _row1 = addresses[3] + row1.Entry;
        return null;
    }

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
            ((delegate* unmanaged<ProductArguments*, void>)_rows12)(&given);
        }

        if (rest > 0)
        {
            given.Rows += tiles * TileRows * BFloat16Packing.RowBytes;
            given.Sums += tiles * TileRows * SumStride * sizeof(float);
            given.Tiles = (rest + RestRows - 1) / RestRows;
            ((delegate* unmanaged<ProductArguments*, void>)_rows4)(&given);
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
