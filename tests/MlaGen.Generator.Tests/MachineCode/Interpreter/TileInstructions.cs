using System.Runtime.InteropServices;
using Iced.Intel;

namespace MlaGen.Tests.MachineCode.Interpreter;

/// <summary>Instructions on tiles.</summary>
internal static class TileInstructions
{
    /// <summary>All that are known.</summary>
    public static Dictionary<Mnemonic, Execute> All { get; } = new()
    {
        [Mnemonic.Ldtilecfg] = static (state, in i) => state.Tiles.Configure(state.Memory.Read(state.Address(i), TileState.MostRowBytes)),
        [Mnemonic.Tilerelease] = static (state, in i) => state.Tiles.Release(),
        [Mnemonic.Tilezero] = static (state, in i) => Array.Clear(Tile(state, i.Op0Register).Bytes),
        [Mnemonic.Tileloadd] = Load,
        [Mnemonic.Tileloaddt1] = Load,
        [Mnemonic.Tilestored] = Store,
        [Mnemonic.Tdpbf16ps] = static (state, in i) => Multiply(Tile(state, i.Op0Register), Tile(state, i.Op1Register), Tile(state, i.Op2Register)),
    };

    private static TileState.Tile Tile(ProcessorState state, Register register) => state.Tiles[register - Register.TMM0];

    private static void Load(ProcessorState state, in Instruction i)
    {
        TileState.Tile tile = Tile(state, i.Op0Register);
        Array.Clear(tile.Bytes);
        for (int row = 0; row < tile.Rows; row++)
        {
            state.Memory.Read(Address(state, i, row), tile.RowBytes).CopyTo(tile.Row(row));
        }
    }

    private static void Store(ProcessorState state, in Instruction i)
    {
        TileState.Tile tile = Tile(state, i.Op1Register);
        for (int row = 0; row < tile.Rows; row++)
        {
            tile.Row(row).CopyTo(state.Memory.Write(Address(state, i, row), tile.RowBytes));
        }
    }

    /// <summary>The index is what lies between rows; the first row does not count it.</summary>
    private static ulong Address(ProcessorState state, in Instruction i, int row) => state.Address(i) + ((ulong)(row - 1) * state.Index(i));

    /// <summary>Products of even elements are summed by themselves, those of odd ones too, each from zero on; then both, then the tile so far.</summary>
    private static void Multiply(TileState.Tile sums, TileState.Tile left, TileState.Tile right)
    {
        if (sums.Rows != left.Rows || sums.RowBytes != right.RowBytes || left.RowBytes != sizeof(float) * right.Rows)
        {
            throw new InvalidOperationException($"shapes do not fit: {sums.Rows} x {sums.RowBytes} bytes from {left.Rows} x {left.RowBytes} and {right.Rows} x {right.RowBytes}.");
        }

        for (int row = 0; row < sums.Rows; row++)
        {
            Span<float> sum = MemoryMarshal.Cast<byte, float>(sums.Row(row));
            Span<ushort> factors = MemoryMarshal.Cast<byte, ushort>(left.Row(row));
            for (int column = 0; column < sum.Length; column++)
            {
                (float even, float odd) = (0, 0);
                for (int pair = 0; pair < right.Rows; pair++)
                {
                    Span<ushort> others = MemoryMarshal.Cast<byte, ushort>(right.Row(pair));
                    even = PairArithmetic.MultiplyAdd(even, factors[2 * pair], others[2 * column]);
                    odd = PairArithmetic.MultiplyAdd(odd, factors[(2 * pair) + 1], others[(2 * column) + 1]);
                }

                sum[column] = PairArithmetic.Add(sum[column], PairArithmetic.Add(even, odd));
            }
        }
    }
}
