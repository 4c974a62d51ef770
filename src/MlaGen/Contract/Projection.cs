using System.ComponentModel;

namespace MlaGen.Runtime;

/// <summary>What the generated projection types share: a packed matrix, and biases where the model has them.</summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public abstract class Projection
{
    private readonly float[]? _bias;

    /// <summary>Packs weights without biases.</summary>
    /// <param name="weights">Row-major <c>[rows, columns]</c>.</param>
    /// <param name="rows">Outputs.</param>
    /// <param name="columns">Inputs.</param>
    /// <param name="name">Name of the projection, for messages.</param>
    /// <param name="formula">Where the shape comes from, for messages.</param>
    /// <param name="groups">Rows that start on a panel of their own.</param>
    protected Projection(ReadOnlyMemory<float> weights, int rows, int columns, string name, string formula, params ReadOnlySpan<int> groups)
    {
        if (weights.Length != (long)rows * columns)
        {
            throw new ArgumentException($"{name}.weight takes [{rows}, {columns}] = {formula}, that is {Counted.Of((long)rows * columns, "value")}; found {weights.Length}.", nameof(weights));
        }

        Matrix = PackedMatrix.Pack(rows, columns, weights, groups);
    }

    /// <summary>Packs weights with biases.</summary>
    /// <param name="weights">Row-major <c>[rows, columns]</c>.</param>
    /// <param name="bias">One bias an output.</param>
    /// <param name="rows">Outputs.</param>
    /// <param name="columns">Inputs.</param>
    /// <param name="name">Name of the projection, for messages.</param>
    /// <param name="formula">Where the shape comes from, for messages.</param>
    protected Projection(ReadOnlyMemory<float> weights, ReadOnlySpan<float> bias, int rows, int columns, string name, string formula)
        : this(weights, rows, columns, name, formula)
    {
        if (bias.Length != rows)
        {
            throw new ArgumentException($"{name}.bias takes {Counted.Of(rows, "value")}; found {bias.Length}.", nameof(bias));
        }

        _bias = bias.ToArray();
    }

    /// <summary>Loads and packs weights.</summary>
    /// <param name="checkpoint">Where the tensors are.</param>
    /// <param name="name">What the tensors' names begin with, up to <c>.weight</c> and <c>.bias</c>.</param>
    /// <param name="rows">Outputs.</param>
    /// <param name="columns">Inputs.</param>
    /// <param name="formula">Where the shape comes from, for messages.</param>
    /// <param name="bias">Whether the projection has biases.</param>
    /// <param name="groups">Rows that start on a panel of their own.</param>
    protected Projection(ICheckpoint checkpoint, string name, int rows, int columns, string formula, bool bias, params ReadOnlySpan<int> groups)
    {
        WeightMatrix source = WeightReader.OpenMatrix(checkpoint, ProjectionNames.WeightTensor(name), rows, columns, formula, MissingTensor.Hint);
        if (bias)
        {
            _bias = WeightReader.ReadVector(checkpoint, name + ".bias", rows, formula[..formula.IndexOf(',')] + "]", MissingTensor.Hint);
        }
        else
        {
            WeightReader.RequireAbsent(checkpoint, name + ".bias", "AttentionBias is off, or this projection never has a bias");
        }

        Matrix = PackedWeights.Pack(checkpoint, source.Name, rows, columns, source.Products, source.ReadRows, groups);
    }

    /// <summary>Takes a matrix that is packed already.</summary>
    /// <param name="matrix">The weights.</param>
    private protected Projection(PackedMatrix matrix) => Matrix = matrix;

    /// <summary>Type of the packed elements: that of the checkpoint.</summary>
    public TensorType Type => Matrix.Type;

    /// <summary>Biases, empty if the projection has none.</summary>
    public ReadOnlySpan<float> Bias => _bias;

    internal PackedMatrix Matrix { get; }
}
