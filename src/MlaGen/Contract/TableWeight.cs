using System.ComponentModel;

namespace MlaGen.Runtime;

/// <summary>What the generated types of tables share: rows of floats that are added as they are.</summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public abstract class TableWeight
{
    private readonly float[] _values;

    /// <summary>Copies values.</summary>
    /// <param name="values">Row-major <c>[rows, columns]</c>.</param>
    /// <param name="rows">Rows.</param>
    /// <param name="columns">Elements of each.</param>
    /// <param name="name">Name of the tensor, for messages.</param>
    /// <param name="formula">Where the shape comes from, for messages.</param>
    protected TableWeight(ReadOnlySpan<float> values, int rows, int columns, string name, string formula)
    {
        if (values.Length != (long)rows * columns)
        {
            throw new ArgumentException($"{name} takes [{rows}, {columns}] = {formula}, that is {Counted.Of((long)rows * columns, "value")}; found {values.Length}.", nameof(values));
        }

        _values = values.ToArray();
    }

    /// <summary>Loads values.</summary>
    /// <param name="checkpoint">Where the tensor is.</param>
    /// <param name="name">Its name.</param>
    /// <param name="rows">Rows.</param>
    /// <param name="columns">Elements of each.</param>
    /// <param name="formula">Where the shape comes from, for messages.</param>
    protected TableWeight(ICheckpoint checkpoint, string name, int rows, int columns, string formula)
    {
        _values = WeightReader.ReadTable(checkpoint, name, rows, columns, formula);
    }

    /// <summary>The values <c>[rows, columns]</c>.</summary>
    public ReadOnlySpan<float> Values => _values;
}
