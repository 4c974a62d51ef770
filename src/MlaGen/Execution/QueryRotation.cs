using System.Runtime.CompilerServices;

namespace MlaGen.Runtime;

/// <summary>Queries as their positions ask for.</summary>
internal sealed class QueryRotation(MlaDefinition definition, RotaryPositions positions)
{
    /// <summary>Rotates a query's rotary part, and scales all of it as its position asks for.</summary>
    /// <param name="row">Row of the step.</param>
    /// <param name="query">The query of a head.</param>
    /// <param name="rotated">Takes the rotated query; other memory.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Rotate(int row, ReadOnlySpan<float> query, Span<float> rotated)
    {
        int nope = definition.Shape.QkNopeHeadDim;
        query[..nope].CopyTo(rotated);
        positions.Rotate(row, definition.RopeLayout, query[nope..], rotated[nope..]);
        float factor = positions.QueryFactor(row);
        if (factor != 1)
        {
            RowMath.Current.Scale(rotated, factor, rotated);
        }
    }
}
