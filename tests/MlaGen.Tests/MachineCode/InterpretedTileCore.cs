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
        Extent left = Left(product, (int)arguments.Depth);
        Extent right = Right(product, (int)arguments.Depth);
        int result = 4 * product switch
        {
            Product.Keys => Tiles.KeySumStride,
            Product.Values => Tiles.ValueSumStride,
            _ => Layout.ScoreStride,
        };
        var processor = new Processor(_codes[(int)product]);
        byte[] results = Bytes(arguments.Result, ((rows - 1) * result) + (4 * columns));
        ulong[] words = MemoryMarshal.Cast<TilePrefillArguments, ulong>(new ReadOnlySpan<TilePrefillArguments>(in arguments)).ToArray();
        words[0] = processor.Add("left", Bytes(arguments.Left, left.Bytes(rows / Panel, (int)arguments.LeftTerms)), isReadOnly: true);
        words[1] = processor.Add("right", Bytes(arguments.Right, right.Bytes(columns / Panel, (int)arguments.RightTerms)), isReadOnly: true);
        words[2] = processor.Add("result", results, isReadOnly: false);
        words[8] = Add("factors", arguments.Factors, 4 * columns);
        words[9] = processor.Add("scratch", new byte[4 * Side * Side], isReadOnly: false);
        words[11] = Add("row scales", arguments.RowScales, 4 * rows);
        processor.Call(entry: 0, processor.Add("arguments", MemoryMarshal.AsBytes(words.AsSpan()).ToArray(), isReadOnly: false), windows: false);
        Marshal.Copy(results, 0, arguments.Result, results.Length);

        // What a product does not take is nowhere.
        ulong Add(string name, nint address, int length) => address == 0 ? 0 : processor.Add(name, Bytes(address, length), isReadOnly: true);

        static byte[] Bytes(nint address, int length)
        {
            byte[] bytes = new byte[length];
            Marshal.Copy(address, bytes, 0, length);
            return bytes;
        }
    }

    private Extent Left(Product product, int depth) => product switch
    {
        Product.Keys or Product.Values => Of(Tiles.LatentTerms, depth),
        Product.Scores => Scored(depth),
        _ => new(4 * Panel * Layout.ValueStride, 4 * Panel * Layout.ValueStride / Tiles.Terms, 32 * depth),
    };

    private Extent Right(Product product, int depth) => product switch
    {
        Product.Keys or Product.Values => Of(Tiles.LatentTerms, depth),
        Product.Scores => Scored(depth),
        _ => new(64, 4 * Layout.ScoreStride, (((depth / 2) - 1) * 8 * Layout.ScoreStride) + 64),
    };

    /// <summary>Terms, or planes of bytes.</summary>
    private Extent Scored(int depth) => HasCodes ? new(2 * Panel * depth, 0, 2 * Panel * depth) : Of(Tiles.KeyTerms, depth);

    private static Extent Of(int terms, int depth) => new(terms * 32 * depth, 32 * depth, 32 * depth);

    /// <summary>Where an operand lies: bytes from a panel to the next, from a term to the next, and of a panel's last term.</summary>
    private readonly record struct Extent(int PanelBytes, int TermBytes, int LastBytes)
    {
        public int Bytes(int panels, int terms) => ((panels - 1) * PanelBytes) + (Math.Max(terms - 1, 0) * TermBytes) + LastBytes;
    }
}
