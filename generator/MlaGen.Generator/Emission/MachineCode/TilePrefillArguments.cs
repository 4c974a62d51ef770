using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace MlaGen.Generator.Emission.MachineCode;

/// <summary>The arguments of a decompressed core's routines on tiles, as the runtime's DecompressedTileCore lays them out: words of 64 bits from the address in rcx.</summary>
internal static class TilePrefillArguments
{
    public static AssemblerMemoryOperand Left => Word(0);

    public static AssemblerMemoryOperand Right => Word(1);

    public static AssemblerMemoryOperand Result => Word(2);

    public static AssemblerMemoryOperand Rows => Word(3);

    public static AssemblerMemoryOperand Columns => Word(4);

    public static AssemblerMemoryOperand Depth => Word(5);

    /// <summary>Terms of left elements, where the plan leaves them to the call.</summary>
    public static AssemblerMemoryOperand LeftTerms => Word(6);

    /// <summary>Terms of right elements, where the plan leaves them to the call.</summary>
    public static AssemblerMemoryOperand RightTerms => Word(7);

    /// <summary>Of each column the factor on its sums so far, or the scale of its codes.</summary>
    public static AssemblerMemoryOperand Factors => Word(8);

    /// <summary>Room for the sums of four tiles.</summary>
    public static AssemblerMemoryOperand Scratch => Word(9);

    /// <summary>What is asked for meanwhile, if the plan has lines for it.</summary>
    public static AssemblerMemoryOperand Upcoming => Word(10);

    /// <summary>Of each row the scale of its codes.</summary>
    public static AssemblerMemoryOperand RowScales => Word(11);

    /// <summary>Words that the routine may write to.</summary>
    public static AssemblerMemoryOperand Kept(int index) => Word(12 + index);

    /// <summary>Words there are, those that are written to included.</summary>
    public const int Count = 18;

    private static AssemblerMemoryOperand Word(int index) => __qword_ptr[rcx + (8 * index)];
}
