using System.ComponentModel;

namespace MlaGen.Runtime;

/// <summary>What the generated type of attention sinks is made of: for each head one logit that joins the softmax and has no value.</summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public abstract class SinkWeight
{
    private readonly float[] _values;

    /// <summary>Copies logits.</summary>
    /// <param name="weights">The logits, which no scale is applied to.</param>
    /// <param name="length">How many there must be.</param>
    /// <param name="name">Name of the tensor, for messages.</param>
    /// <param name="formula">Where the length comes from, for messages.</param>
    protected SinkWeight(ReadOnlySpan<float> weights, int length, string name, string formula)
    {
        if (weights.Length != length)
        {
            throw new ArgumentException($"{name} takes [{length}] = {formula}; found {Counted.Of(weights.Length, "value")}.", nameof(weights));
        }

        _values = weights.ToArray();
    }

    /// <summary>Loads logits.</summary>
    /// <param name="checkpoint">Where the tensor is.</param>
    /// <param name="name">Its name.</param>
    /// <param name="length">How many there must be.</param>
    /// <param name="formula">Where the length comes from, for messages.</param>
    protected SinkWeight(ICheckpoint checkpoint, string name, int length, string formula)
        => _values = WeightReader.ReadVector(checkpoint, name, length, formula, MissingTensor.Hint);

    /// <summary>The logits.</summary>
    public ReadOnlySpan<float> Values => _values;
}
