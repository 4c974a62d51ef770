using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace MlaGen.Generator.Emission.MachineCode;

/// <summary>The arguments of a core's routines, as the runtime's MatrixCore lays them out: words of 64 bits from the address in rcx.</summary>
internal static class MatrixArguments
{
    public static AssemblerMemoryOperand Rows => Word(0);

    public static AssemblerMemoryOperand Tokens => Word(1);

    public static AssemblerMemoryOperand Queries => Word(2);

    public static AssemblerMemoryOperand Scores => Word(3);

    public static AssemblerMemoryOperand Sums => Word(4);

    public static AssemblerMemoryOperand Rescale => Word(5);

    public static AssemblerMemoryOperand Scratch => Word(6);

    /// <summary>Rows that will be needed behind these; they are only asked for, and may lie anywhere.</summary>
    public static AssemblerMemoryOperand Upcoming => Word(7);

    /// <summary>
    /// 0 if rows are gone through once, <see cref="First"/> if latents that are laid beside each other shall stay in scratch, <see cref="Again"/> if they lie there.
    /// </summary>
    public static AssemblerMemoryOperand Sharing => Word(8);

    /// <summary>More query tokens follow, as the runtime's RowSharing numbers it.</summary>
    public const int First = 1;

    /// <summary>A query token went before.</summary>
    public const int Again = 2;

    /// <summary>Words that the routine may write to.</summary>
    public static AssemblerMemoryOperand Kept(int index) => Word(9 + index);

    /// <summary>Words there are, those that are written to included.</summary>
    public const int Count = 16;

    private static AssemblerMemoryOperand Word(int index) => __qword_ptr[rcx + (8 * index)];
}
