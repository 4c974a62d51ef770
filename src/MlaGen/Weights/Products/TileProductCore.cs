using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace MlaGen.Runtime;

/// <summary>
/// Products on tiles (<c>tdpbf16ps</c>): inputs are taken as one term of bfloat16 or as two. Few rows are multiplied on vectors, in the order and with the rounding of
/// tiles, so that one of them has the bits that it has among many, and needs no thread that may use tiles.
/// </summary>
internal unsafe class TileProductCore : MatrixProductCore
{
    /// <summary>
    /// Panels that many rows meet at most before they are read again: their sums and a block of the rows' depth stay in the second-level cache, of which processors
    /// with tiles have 2 MB.
    /// </summary>
    private const int MostUnitPanels = 64;

    /// <summary>Panels of a call.</summary>
    private const int TilePanels = 2;

    /// <summary>Floats from the sums of a row to those of the next.</summary>
    private const int SumStride = TilePanels * PackedMatrix.PanelWidth;

    /// <summary>Floats of the sums of two tiles of rows.</summary>
    private const int PairSums = TilePacking.PairRows * SumStride;

    /// <summary>Depth of a step of the routines: one of <see cref="TilePacking"/>.</summary>
    private const int StepDepth = TilePacking.StepDepth;

    /// <summary>Bytes of each of two panels that a step of the routines asks for.</summary>
    private const int AskedBytes = 2 * CacheLine;

    private readonly TilePacking _rows;

    public TileProductCore(MlaPrecision precision)
        : this(precision, new TilePacking(precision == MlaPrecision.High ? 2 : 1))
    {
    }

    private TileProductCore(MlaPrecision precision, TilePacking rows)
        : base(rows, StepDepth)
    {
        Precision = precision;
        _rows = rows;
    }

    public override CoreTarget Target => CoreTarget.Amx;

    public sealed override MlaPrecision Precision { get; }

    public sealed override int MostPanels => MostUnitPanels;

    protected sealed override int WholeRows => TilePacking.PairRows;

    // Sums, pairs of two panels, and their terms.
    public sealed override int ScratchLength => SumsLength(MostUnitPanels, ProjectionKernels.MostChunkRows) + (2 * BFloat16Packing.Depth * PackedMatrix.PanelWidth);

    protected sealed override MachineRoutine WholeTiles => IsHigh ? ProductRoutines.TileRows32High : ProductRoutines.TileRows32Medium;

    protected sealed override MachineRoutine RestTiles => IsHigh ? ProductRoutines.TileRows16High : ProductRoutines.TileRows16Medium;

    protected sealed override MachineRoutine RowByStrip => IsHigh ? ProductRoutines.TileRow8High : ProductRoutines.TileRow8Medium;

    protected sealed override MachineRoutine RowByPanel => IsHigh ? ProductRoutines.TileRow1High : ProductRoutines.TileRow1Medium;

    private bool IsHigh => Precision == MlaPrecision.High;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    protected sealed override void MultiplyRows(WeightPanels weights, int outputs, ref float packed, int rows, ref float result, nint stride, ref float scratch)
    {
        if (Target == CoreTarget.Amx && !TileThread.IsPrepared)
        {
            throw new InvalidOperationException("Tiles are used on an executor's own threads alone: this one is not.");
        }

        int panels = PackedMatrix.PanelsFor(outputs);
        int sumLength = SumsLength(TilePanels, rows);
        int wholeRows = rows / TilePacking.PairRows * TilePacking.PairRows;
        int wholeOutputs = outputs / SumStride * SumStride;
        fixed (float* inputs = &packed, sums = &scratch, results = &result)
        {
            float* pairs = sums + SumsLength(panels, rows);
            var start = (nint)Unsafe.AsPointer(ref weights.At(0, 0));
            byte* written = (byte*)(pairs + (BFloat16Packing.Depth * PackedMatrix.PanelWidth));
            for (int first = 0; first < weights.Depth; first += BFloat16Packing.Depth)
            {
                int depth = Math.Min(BFloat16Packing.Depth, weights.Depth - first);
                for (int panel = 0; panel < panels; panel += TilePanels)
                {
                    // The panels behind these, or at the last ones the next depth of the first, or what is behind all.
                    nint upcoming = panel + TilePanels < panels ? weights.Offset(panel + TilePanels, first)
                        : first + depth < weights.Depth ? weights.Offset(0, first + depth)
                        : weights.Offset(panel + TilePanels, 0);
                    int output = panel * PackedMatrix.PanelWidth;
                    int terms = WeightTerms(weights.Type);
                    for (int term = 0; term < terms; term++)
                    {
                        bool isLast = first + depth == weights.Depth && term == terms - 1;
                        var arguments = new ProductArguments
                        {
                            Rows = (nint)(inputs + _rows.BlockStart(rows, first)),
                            Depth = ProjectionKernels.Units(depth, StepDepth),
                            Pairs = (nint)pairs,
                            Sums = (nint)(sums + (panel / TilePanels * sumLength)),
                            IsFirst = first == 0 && term == 0 ? 1 : 0,
                            Upcoming = start + upcoming,
                        };
                        Lay(weights, panel, Math.Min(panel + 1, panels - 1), first, depth, term, written, ref arguments);
                        MultiplyTiles(arguments, rows, isLast && output < wholeOutputs ? results + output : null, stride);
                    }
                }
            }
        }

        // What went through the scratch.
        for (int output = 0; output < outputs; output += SumStride)
        {
            int count = Math.Min(SumStride, outputs - output);
            ref float group = ref Unsafe.Add(ref scratch, output / SumStride * sumLength);
            for (int row = output < wholeOutputs ? wholeRows : 0; row < rows; row++)
            {
                MemoryMarshal.CreateReadOnlySpan(ref Unsafe.Add(ref group, row * SumStride), count)
                    .CopyTo(MemoryMarshal.CreateSpan(ref Unsafe.Add(ref result, (row * stride) + output), count));
            }
        }
    }

    /// <summary>Floats of the sums of so many rows and panels.</summary>
    private static int SumsLength(int panels, int rows) => ProjectionKernels.Units(panels, TilePanels) * ProjectionKernels.Units(rows, TilePacking.PairRows) * PairSums;

    /// <summary>Says where the weights of two panels lie: those of bfloat16 where they are, and else, or if they are no whole steps, where a term of them is written.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Lay(WeightPanels weights, int panel, int other, int first, int depth, int term, byte* written, ref ProductArguments arguments)
    {
        if (weights.Type == TensorType.BFloat16 && depth % StepDepth == 0)
        {
            // A last panel without another is taken twice; what the second makes is never read.
            arguments.Weights = (nint)Unsafe.AsPointer(ref weights.At(panel, first));
            arguments.PanelBytes = (other - panel) * weights.PanelBytes;
            return;
        }

        const int PanelBytes = BFloat16Packing.Depth * DepthBytes;
        arguments.Weights = (nint)written;
        arguments.PanelBytes = PanelBytes;
        int length = depth * DepthBytes;
        int padded = (int)arguments.Depth * StepDepth * DepthBytes;
        for (int i = 0; i < TilePanels; i++)
        {
            byte* target = written + (i * PanelBytes);
            CopyTerm(weights, i == 0 ? panel : other, first, depth, term, ref *target);
            new Span<byte>(target + length, padded - length).Clear();
        }
    }

    /// <summary>Multiplies rows with two panels.</summary>
    /// <param name="given">Where things are; tiles and the result are filled in.</param>
    /// <param name="rows">Rows.</param>
    /// <param name="result">Takes the sums of what rows are whole tiles, or null if they stay where they are.</param>
    /// <param name="stride">Elements from a row of the result to the next.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void MultiplyTiles(ProductArguments given, int rows, float* result, nint stride)
    {
        // Two tiles of rows at a time load half as often as they multiply; a last one may be alone.
        int pairs = rows / TilePacking.PairRows;
        int rest = rows % TilePacking.PairRows;
        int asked = pairs * (int)given.Depth * AskedBytes;
        for (int i = asked; i < (int)given.Depth * StepDepth * DepthBytes; i += CacheLine)
        {
            // So few rows ask for less than will be needed.
            Prefetch.Ahead(ref *(byte*)given.Upcoming, i);
            Prefetch.Ahead(ref *(byte*)given.Upcoming, given.PanelBytes + i);
        }

        if (pairs > 0)
        {
            given.Tiles = pairs;
            given.Result = result is null ? given.Sums : (nint)result;
            given.ResultBytes = (result is null ? SumStride : stride) * sizeof(float);
            Call(Routine.WholeTiles, ref given);
            given.Weights = 0;
        }

        if (rest > 0)
        {
            given.Rows += pairs * (int)given.Depth * _rows.StepBytes(TilePacking.PairRows);
            given.Sums += pairs * PairSums * sizeof(float);
            given.Upcoming += asked;
            given.Result = given.Sums;
            given.ResultBytes = SumStride * sizeof(float);
            given.Tiles = 1;
            Call(rest > TilePacking.PairRows / 2 ? Routine.WholeTiles : Routine.RestTiles, ref given);
        }
    }
}
