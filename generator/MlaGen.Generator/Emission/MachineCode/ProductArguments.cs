using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace MlaGen.Generator.Emission.MachineCode;

/// <summary>The arguments of the routines of products with weights, as the runtime's ProductRoutines lays them out: words of 64 bits from the address in rcx.</summary>
internal static class ProductArguments
{
    /// <summary>Rows of inputs, a block of their depth.</summary>
    public static AssemblerMemoryOperand Rows => Word(0);

    /// <summary>Tiles of rows.</summary>
    public static AssemblerMemoryOperand Tiles => Word(1);

    /// <summary>Two panels of weights in pairs; of a single row, the first panel as it lies.</summary>
    public static AssemblerMemoryOperand Weights => Word(2);

    /// <summary>Bytes from a panel to the next, of a single row.</summary>
    public static AssemblerMemoryOperand PanelBytes => Word(3);

    /// <summary>Steps of the depth.</summary>
    public static AssemblerMemoryOperand Depth => Word(4);

    /// <summary>Sums, which are added to.</summary>
    public static AssemblerMemoryOperand Sums => Word(5);

    /// <summary>Words that the routine may write to.</summary>
    public static AssemblerMemoryOperand Kept(int index) => Word(6 + index);

    /// <summary>Bytes to the first of them.</summary>
    public const int KeptOffset = 6 * 8;

    /// <summary>Words there are, those that are written to included.</summary>
    public const int Count = 8;

    private static AssemblerMemoryOperand Word(int index) => __qword_ptr[rcx + (8 * index)];
}
