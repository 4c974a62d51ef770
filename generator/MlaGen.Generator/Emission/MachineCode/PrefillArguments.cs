using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace MlaGen.Generator.Emission.MachineCode;

/// <summary>The arguments of a decompressed core's routines, as the runtime's DecompressedMatrixCore lays them out: words of 64 bits from the address in rcx.</summary>
internal static class PrefillArguments
{
    public static AssemblerMemoryOperand Left => Word(0);

    public static AssemblerMemoryOperand Right => Word(1);

    public static AssemblerMemoryOperand Result => Word(2);

    /// <summary>Rows, where the plan leaves them to the call.</summary>
    public static AssemblerMemoryOperand Rows => Word(3);

    /// <summary>Columns, where the plan leaves them to the call.</summary>
    public static AssemblerMemoryOperand Columns => Word(4);

    /// <summary>The depth, where the plan leaves it to the call.</summary>
    public static AssemblerMemoryOperand Depth => Word(5);

    /// <summary>Of each column the factor on its sums so far, or its scale.</summary>
    public static AssemblerMemoryOperand ColumnFactors => Word(6);

    /// <summary>Scales of rows, where numbers have any.</summary>
    public static AssemblerMemoryOperand RowScales => Word(7);

    /// <summary>Words that the routine may write to.</summary>
    public static AssemblerMemoryOperand Kept(int index) => Word(8 + index);

    /// <summary>Words there are, those that are written to included.</summary>
    public const int Count = 14;

    private static AssemblerMemoryOperand Word(int index) => __qword_ptr[rcx + (8 * index)];
}
