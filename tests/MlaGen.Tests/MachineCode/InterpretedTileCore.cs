using System.Runtime.InteropServices;
using MlaGen.Runtime;
using MlaGen.Tests.MachineCode.Interpreter;

namespace MlaGen.Tests.MachineCode;

/// <summary>A decompressed core of tiles, but for its routines, which are interpreted in memory of exactly the sizes that they may touch: so that it runs on machines without tiles.</summary>
internal sealed class InterpretedTileCore(DecompressedTileCore core) : DecompressedTileCore(CoreTarget.Vector512, core.Precision, core.Operand, core.Layout, core.Tiles)
{
    private const int Panel = 16;

    private readonly byte[][] _codes = [.. Enum.GetValues<Product>().Select(core.Code)];

    protected override MachineRoutine Keys => new(_codes[0], windowsEntry: 0);

    protected override MachineRoutine Values => new(_codes[1], windowsEntry: 0);

    protected override MachineRoutine Scores => new(_codes[2], windowsEntry: 0);

    protected override MachineRoutine Sums => new(_codes[3], windowsEntry: 0);

    private protected override void Call(Product product, ref TilePrefillArguments arguments)
    {
        int rows = (int)arguments.Rows;
        int columns = (int)arguments.Columns;
        int depth = (int)arguments.Depth;
        (int leftStride, int leftTerm) = product switch
        {
            Product.Keys or Product.Values => (4 * Tiles.LatentStride, 2 * depth),
            Product.Scores => (4 * Layout.KeyStride, 2 * depth),
            _ => (4 * Layout.ValueStride, 2 * Layout.KeyTile),
        };
        (int pair, int term, int panel) = product == Product.Sums ? (8 * Layout.ScoreStride, 4 * Layout.ScoreStride, 64) : (64, 32 * depth, 32 * depth * Tiles.KeyTerms);
        int result = 4 * product switch
        {
            Product.Keys => Tiles.KeySumStride,
            Product.Values => Tiles.ValueSumStride,
            _ => Layout.ScoreStride,
        };
        var processor = new Processor(_codes[(int)product]);
        byte[] results = Bytes(arguments.Result, ((rows - 1) * result) + (4 * columns));
        ulong[] words = MemoryMarshal.Cast<TilePrefillArguments, ulong>(new ReadOnlySpan<TilePrefillArguments>(in arguments)).ToArray();
        words[0] = processor.Add("left", Bytes(arguments.Left, ((rows - 1) * leftStride) + (((int)arguments.LeftTerms - 1) * leftTerm) + (2 * depth)), isReadOnly: true);
        words[1] = processor.Add(
            "right", Bytes(arguments.Right, (((columns / Panel) - 1) * panel) + (((int)arguments.RightTerms - 1) * term) + (((depth / 2) - 1) * pair) + 64), isReadOnly: true);
        words[2] = processor.Add("result", results, isReadOnly: false);
        words[8] = processor.Add("factors", Bytes(arguments.Factors, 4 * columns), isReadOnly: true);
        words[9] = processor.Add("scratch", new byte[4 * Side * Side], isReadOnly: false);
        processor.Call(entry: 0, processor.Add("arguments", MemoryMarshal.AsBytes(words.AsSpan()).ToArray(), isReadOnly: false), windows: false);
        Marshal.Copy(results, 0, arguments.Result, results.Length);

        static byte[] Bytes(nint address, int length)
        {
            byte[] bytes = new byte[length];
            Marshal.Copy(address, bytes, 0, length);
            return bytes;
        }
    }
}
