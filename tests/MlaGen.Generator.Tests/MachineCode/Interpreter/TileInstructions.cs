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
        [Mnemonic.Tdpbf16ps] = static (state, in i) => Multiply<float, ushort>(Tile(state, i.Op0Register), Tile(state, i.Op1Register), Tile(state, i.Op2Register), AddPairs),
        [Mnemonic.Tdpbssd] = static (state, in i) => Multiply<int, sbyte>(Tile(state, i.Op0Register), Tile(state, i.Op1Register), Tile(state, i.Op2Register), AddBytes),
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

    /// <summary>Each sum of a tile, with a row of the left one and, in words, a column of the right one.</summary>
    private static void Multiply<TSum, TFactor>(TileState.Tile sums, TileState.Tile left, TileState.Tile right, Add<TSum, TFactor> add)
        where TSum : unmanaged
        where TFactor : unmanaged
    {
        if (sums.Rows != left.Rows || sums.RowBytes != right.RowBytes || left.RowBytes != sizeof(float) * right.Rows)
        {
            throw new InvalidOperationException($"shapes do not fit: {sums.Rows} x {sums.RowBytes} bytes from {left.Rows} x {left.RowBytes} and {right.Rows} x {right.RowBytes}.");
        }

        Span<float> words = stackalloc float[TileState.MostRows];
        for (int column = 0; column < sums.RowBytes / sizeof(float); column++)
        {
            for (int word = 0; word < right.Rows; word++)
            {
                words[word] = MemoryMarshal.Cast<byte, float>(right.Row(word))[column];
            }

            Span<TFactor> others = MemoryMarshal.Cast<float, TFactor>(words[..right.Rows]);
            for (int row = 0; row < sums.Rows; row++)
            {
                ref TSum sum = ref MemoryMarshal.Cast<byte, TSum>(sums.Row(row))[column];
                sum = add(sum, MemoryMarshal.Cast<byte, TFactor>(left.Row(row)), others);
            }
        }
    }

    private delegate TSum Add<TSum, TFactor>(TSum sum, ReadOnlySpan<TFactor> factors, ReadOnlySpan<TFactor> others);

    /// <summary>Products of even elements are summed by themselves, those of odd ones too, each from zero on; then both, then the tile so far.</summary>
    private static float AddPairs(float sum, ReadOnlySpan<ushort> factors, ReadOnlySpan<ushort> others)
    {
        (float even, float odd) = (0, 0);
        for (int i = 0; i < factors.Length; i += 2)
        {
            even = PairArithmetic.MultiplyAdd(even, factors[i], others[i]);
            odd = PairArithmetic.MultiplyAdd(odd, factors[i + 1], others[i + 1]);
        }

        return PairArithmetic.Add(sum, PairArithmetic.Add(even, odd));
    }

    private static int AddBytes(int sum, ReadOnlySpan<sbyte> factors, ReadOnlySpan<sbyte> others)
    {
        for (int i = 0; i < factors.Length; i++)
        {
            sum = unchecked(sum + (factors[i] * others[i]));
        }

        return sum;
    }
}
