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

    /// <summary>Two panels of weights in pairs; on tiles, and of a single row, the first panel as it lies, or nothing where tiles find the pairs.</summary>
    public static AssemblerMemoryOperand Weights => Word(2);

    /// <summary>Bytes from a panel to the next, where they lie.</summary>
    public static AssemblerMemoryOperand PanelBytes => Word(3);

    /// <summary>Steps of the depth.</summary>
    public static AssemblerMemoryOperand Depth => Word(4);

    /// <summary>Sums, which are added to.</summary>
    public static AssemblerMemoryOperand Sums => Word(5);

    /// <summary>Two panels, where they lie, that will be needed; they are only asked for.</summary>
    public static AssemblerMemoryOperand Upcoming => Word(6);

    /// <summary>Of tiles: the pairs.</summary>
    public static AssemblerMemoryOperand Pairs => Word(7);

    /// <summary>Of tiles: whether there are no sums yet.</summary>
    public static AssemblerMemoryOperand IsFirst => Word(8);

    /// <summary>Of tiles: where the sums go.</summary>
    public static AssemblerMemoryOperand Result => Word(9);

    /// <summary>Of tiles: bytes from a row there to the next.</summary>
    public static AssemblerMemoryOperand ResultBytes => Word(10);

    /// <summary>Words that the routine may write to.</summary>
    public static AssemblerMemoryOperand Kept(int index) => Word(FirstKept + index);

    /// <summary>Bytes to the first of them.</summary>
    public const int KeptOffset = 8 * FirstKept;

    /// <summary>Words there are, those that are written to included.</summary>
    public const int Count = FirstKept + 5;

    private const int FirstKept = 11;

    private static AssemblerMemoryOperand Word(int index) => __qword_ptr[rcx + (8 * index)];
}
