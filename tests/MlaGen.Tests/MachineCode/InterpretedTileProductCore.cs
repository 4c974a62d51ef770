using System.Runtime.InteropServices;
using MlaGen.Runtime;
using MlaGen.Tests.MachineCode.Interpreter;

namespace MlaGen.Tests.MachineCode;

/// <summary>
/// Products on tiles, but for their routines of many rows, which are interpreted in memory of exactly the sizes that they may touch: so that they run on machines without tiles.
/// Those of one row run as they are.
/// </summary>
internal sealed class InterpretedTileProductCore(MlaPrecision precision) : TileProductCore(precision)
{
    private const int TileRows = 16;
    private const int TileBytes = TileRows * 64;
    private const int SumBytes = 128;

    public override CoreTarget Target => CoreTarget.Vector512;

    private protected override void Call(Routine routine, ref ProductArguments arguments)
    {
        if (routine is not (Routine.WholeTiles or Routine.RestTiles))
        {
            base.Call(routine, ref arguments);
            return;
        }

        int tiles = (int)arguments.Tiles * (routine == Routine.WholeTiles ? 2 : 1);
        int terms = Precision == MlaPrecision.High ? 2 : 1;
        int steps = (int)arguments.Depth;
        bool isInPlace = arguments.Result == arguments.Sums;
        byte[] sums = Bytes(arguments.Sums, tiles * TileRows * SumBytes);
        byte[] results = isInPlace ? sums : Bytes(arguments.Result, (((tiles * TileRows) - 1) * (int)arguments.ResultBytes) + SumBytes);
        byte[] pairs = Bytes(arguments.Pairs, steps * 2 * TileBytes);
        var processor = new Processor((routine == Routine.WholeTiles ? WholeTiles : RestTiles).Code.ToArray());
        ulong[] words = MemoryMarshal.Cast<ProductArguments, ulong>(new ReadOnlySpan<ProductArguments>(in arguments)).ToArray();
        words[0] = processor.Add("rows", Bytes(arguments.Rows, steps * tiles * terms * TileBytes), isReadOnly: true);
        words[2] = arguments.Weights == 0 ? 0 : processor.Add("weights", Bytes(arguments.Weights, (int)arguments.PanelBytes + (steps * TileBytes)), isReadOnly: true);
        words[5] = processor.Add("sums", sums, isReadOnly: !isInPlace);
        words[7] = processor.Add("pairs", pairs, isReadOnly: arguments.Weights == 0);
        words[9] = isInPlace ? words[5] : processor.Add("results", results, isReadOnly: false);
        processor.Call(entry: 0, processor.Add("arguments", MemoryMarshal.AsBytes(words.AsSpan()).ToArray(), isReadOnly: false), windows: false);
        Marshal.Copy(pairs, 0, arguments.Pairs, pairs.Length);
        Marshal.Copy(results, 0, arguments.Result, results.Length);

        static byte[] Bytes(nint address, int length)
        {
            byte[] bytes = new byte[length];
            Marshal.Copy(address, bytes, 0, length);
            return bytes;
        }
    }
}
