using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace MlaGen.Runtime;

/// <content>Rows and the transpose of panels: the weights are turned, some panels at a time, and multiplied as others are.</content>
internal abstract unsafe partial class MatrixProductCore
{
    // Turned panels of a group stand behind what products need themselves.
    public sealed override int TransposedScratchLength(int outputs) => ScratchLength + (TurnedPanels * PackedMatrix.PanelWidth * PackedMatrix.PanelsFor(outputs) * PackedMatrix.PanelWidth);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public sealed override void MultiplyTransposed(
        PackedMatrix matrix, int firstPanel, int outputs, ref float inputs, nint inputStride, int rows, ref float result, nint stride, ref float packed, ref float scratch)
    {
        int panels = PackedMatrix.PanelsFor(outputs);
        int depth = panels * PackedMatrix.PanelWidth;
        var turned = new WeightPanels(ref Unsafe.As<float, byte>(ref Unsafe.Add(ref scratch, ScratchLength)), depth * PackedMatrix.PanelWidth * matrix.Type.Size(), depth, matrix.Type);
        packing.Pack(ref inputs, inputStride, rows, outputs, ref packed);
        for (int first = 0; first < matrix.Columns; first += TurnedPanels * PackedMatrix.PanelWidth)
        {
            int count = Math.Min(TurnedPanels * PackedMatrix.PanelWidth, matrix.Columns - first);
            TurnPanels(matrix, firstPanel, panels, first, count, turned);
            MultiplyPacked(turned, count, ref packed, rows, ref Unsafe.Add(ref result, first), stride, ref scratch);
        }
    }

    /// <summary>Writes depths of panels as panels, whose depths are the outputs of those.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void TurnPanels(PackedMatrix matrix, int firstPanel, int panels, int first, int count, WeightPanels turned)
    {
        const int Width = PackedMatrix.PanelWidth;
        int squareBytes = Width * Width * matrix.Type.Size();
        byte* rest = stackalloc byte[Width * Width * sizeof(float)];
        var source = new WeightPanels(matrix, firstPanel);
        int squares = count / Width;
        for (int panel = 0; panel < panels; panel++)
        {
            // What is turned next is a panel further, or at the last one the next depths of the first.
            ref byte upcoming = ref panel + 1 < panels ? ref source.At(panel + 1, first) : ref source.At(0, first + count);
            for (int i = 0; i < squares * squareBytes; i += CacheLine)
            {
                Prefetch.Ahead(ref upcoming, i);
            }

            Turn(ref source.At(panel, first), squares, ref turned.At(0, panel * Width), turned);
            if (squares * Width < count)
            {
                // Behind the last depths of a panel begins the next one, or nothing. What is made of the outputs that are not there is never read.
                int bytes = (count - (squares * Width)) * squareBytes / Width;
                MemoryMarshal.CreateReadOnlySpan(ref source.At(panel, first + (squares * Width)), bytes).CopyTo(new Span<byte>(rest, bytes));
                Turn(ref *rest, 1, ref turned.At(squares, panel * Width), turned);
            }
        }
    }

    /// <summary>Turns squares of a panel, each of which is part of another one then.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Turn(ref byte source, int squares, ref byte target, WeightPanels turned)
    {
        if (turned.Type.Size() == sizeof(ushort))
        {
            HalfWordSquare.Turn(ref Unsafe.As<byte, ushort>(ref source), squares, ref Unsafe.As<byte, ushort>(ref target), turned.PanelBytes / sizeof(ushort));
            return;
        }

        for (int i = 0; i < squares; i++)
        {
            WordSquare.Turn(
                ref Unsafe.Add(ref Unsafe.As<byte, uint>(ref source), i * WordSquare.Width * WordSquare.Width),
                WordSquare.Width,
                ref Unsafe.As<byte, uint>(ref Unsafe.Add(ref target, (nint)i * turned.PanelBytes)),
                WordSquare.Width);
        }
    }
}
