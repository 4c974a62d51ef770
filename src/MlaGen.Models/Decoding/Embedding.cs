using System.Numerics.Tensors;

namespace MlaGen.Models;

/// <summary>The table of token vectors, which the head of some models is, too.</summary>
/// <param name="table">The vector of a token is the weights of its output.</param>
/// <param name="scale">Factor on every vector.</param>
internal sealed class Embedding(Linear table, float scale)
{
    public Linear Table => table;

    /// <summary>Writes the vector of a token.</summary>
    public void Read(int token, Span<float> destination)
    {
        table.ReadWeights(token, destination);
        if (scale != 1)
        {
            TensorPrimitives.Multiply(destination, scale, destination);
        }
    }
}
