namespace MlaGen.Models;

/// <summary>An attention layer, seen without its generated class.</summary>
internal interface IAttention
{
    /// <summary>Runs the layer; see <see cref="IMlaAttention{TSelf}.Forward"/>.</summary>
    void Forward(MlaBatch batch, ReadOnlySpan<float> hidden, Span<float> output);
}

/// <summary>A generated layer.</summary>
/// <typeparam name="T">The generated class.</typeparam>
internal sealed class Attention<T>(T layer) : IAttention
    where T : class, IMlaAttention<T>
{
    // LanguageModel<T> has let no other batch in.
    public void Forward(MlaBatch batch, ReadOnlySpan<float> hidden, Span<float> output) => layer.Forward((MlaBatch<T>)batch, hidden, output);
}
