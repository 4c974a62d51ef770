using System.ComponentModel;
using System.Numerics.Tensors;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace MlaGen.Runtime;

/// <summary>Queries of floats in panels <c>[depth][columns]</c>: columns lie in vector lanes.</summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public sealed class QueryPanels : QueryPacking
{
    private readonly int[] _firstColumns;
    private readonly int _firstRowColumn;

    /// <summary>Describes the panels.</summary>
    /// <param name="firstColumns">First column of each panel, then the number of columns.</param>
    /// <param name="firstRowColumn">Column from which on queries are packed as they are, row after row, because their depth lies in lanes.</param>
    public QueryPanels(int[] firstColumns, int firstRowColumn)
    {
        ArgumentNullException.ThrowIfNull(firstColumns);
        _firstColumns = firstColumns;
        _firstRowColumn = firstRowColumn;
    }

    internal override int Columns => _firstColumns[^1];

    internal override int PanelCount => _firstColumns.Length - 1;

    internal override int Length(int depth) => Columns * depth;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal override void Pack(int panel, ref float queries, int heads, int depth, float scale, ref float packed)
    {
        int first = _firstColumns[panel];
        int width = _firstColumns[panel + 1] - first;
        ref float source = ref Unsafe.Add(ref queries, first * depth);
        ref float target = ref Unsafe.Add(ref packed, first * depth);
        int given = Math.Min(width, heads - first);
        if (first >= _firstRowColumn)
        {
            PackRows(ref source, given * depth, scale, MemoryMarshal.CreateSpan(ref target, width * depth));
            return;
        }

        PanelPacking.Pack(ref source, depth, given, depth, scale, ref target, width);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void PackRows(ref float source, int given, float scale, Span<float> target)
    {
        TensorPrimitives.Multiply(MemoryMarshal.CreateReadOnlySpan(ref source, given), scale, target);
        target[given..].Clear();
    }
}
