using System.ComponentModel;

namespace MlaGen.Runtime;

/// <summary>What the generated types of norms by mean and variance share: one weight and one bias an element.</summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public abstract class LayerNormWeight
{
    private readonly float[] _weights;
    private readonly float[] _bias;

    /// <summary>Copies weights.</summary>
    /// <param name="weights">The weights.</param>
    /// <param name="bias">The biases.</param>
    /// <param name="length">How many there must be of each.</param>
    /// <param name="name">Name of the norm, for messages.</param>
    /// <param name="formula">Where the length comes from, for messages.</param>
    protected LayerNormWeight(ReadOnlySpan<float> weights, ReadOnlySpan<float> bias, int length, string name, string formula)
    {
        if (weights.Length != length)
        {
            throw new ArgumentException($"{name}.weight takes [{length}] = {formula}; found {Counted.Of(weights.Length, "value")}.", nameof(weights));
        }

        if (bias.Length != length)
        {
            throw new ArgumentException($"{name}.bias takes [{length}] = {formula}; found {Counted.Of(bias.Length, "value")}.", nameof(bias));
        }

        _weights = weights.ToArray();
        _bias = bias.ToArray();
    }

    /// <summary>Loads weights.</summary>
    /// <param name="checkpoint">Where the tensors are.</param>
    /// <param name="name">What their names begin with, up to <c>.weight</c> and <c>.bias</c>.</param>
    /// <param name="length">How many there must be of each.</param>
    /// <param name="formula">Where the length comes from, for messages.</param>
    protected LayerNormWeight(ICheckpoint checkpoint, string name, int length, string formula)
    {
        _weights = WeightReader.ReadVector(checkpoint, name + ".weight", length, formula, MissingTensor.Hint);
        _bias = WeightReader.ReadVector(checkpoint, name + ".bias", length, formula, MissingTensor.Hint);
    }

    /// <summary>The weights.</summary>
    public ReadOnlySpan<float> Weights => _weights;

    /// <summary>The biases.</summary>
    public ReadOnlySpan<float> Bias => _bias;
}
