using System.ComponentModel;

namespace MlaGen.Runtime;

/// <summary>What the generated norm types share: one weight an element.</summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public abstract class NormWeight
{
    private readonly float[] _values;

    /// <summary>Copies weights.</summary>
    /// <param name="weights">The weights.</param>
    /// <param name="length">How many there must be.</param>
    /// <param name="name">Name of the tensor, for messages.</param>
    /// <param name="formula">Where the length comes from, for messages.</param>
    protected NormWeight(ReadOnlySpan<float> weights, int length, string name, string formula)
    {
        if (weights.Length != length)
        {
            throw new ArgumentException($"{name} takes [{length}] = {formula}; found {Counted.Of(weights.Length, "value")}.", nameof(weights));
        }

        _values = weights.ToArray();
    }

    /// <summary>Loads weights.</summary>
    /// <param name="checkpoint">Where the tensor is.</param>
    /// <param name="name">Its name up to <c>.weight</c>.</param>
    /// <param name="length">How many there must be.</param>
    /// <param name="formula">Where the length comes from, for messages.</param>
    protected NormWeight(ICheckpoint checkpoint, string name, int length, string formula)
    {
        _values = WeightReader.ReadVector(checkpoint, name + ".weight", length, formula, MissingTensor.Hint);
        WeightReader.RequireAbsent(checkpoint, name + ".bias", "the latent norms have no bias");
    }

    /// <summary>The weights.</summary>
    public ReadOnlySpan<float> Values => _values;
}
