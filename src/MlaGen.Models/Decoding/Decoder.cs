using System.Numerics.Tensors;

namespace MlaGen.Models;

/// <summary>What stands around the attention layers of a model: token ids in, a score for each possible next token out.</summary>
/// <remarks>Holds weights only: one decoder may serve several steps at a time.</remarks>
internal sealed class Decoder
{
    public required Embedding Embedding { get; init; }

    public required IDecoderLayer[] Layers { get; init; }

    public required INorm Norm { get; init; }

    public required Linear Head { get; init; }

    /// <summary>Copies of the hidden state that run beside each other (<c>hc_mult</c>).</summary>
    public int Streams { get; init; } = 1;

    /// <summary>Makes one hidden state of the streams, where there are several.</summary>
    public StreamMix? Merge { get; init; }

    /// <summary>Factor on the normalised hidden state before the head.</summary>
    public float HeadScale { get; init; } = 1;

    private int Width => Head.InFeatures;

    /// <summary>Runs a step. The caller commits it.</summary>
    /// <param name="workers">What products run on.</param>
    /// <param name="step">Its attention.</param>
    /// <param name="tokens">The new tokens, <c>[step.Rows]</c>.</param>
    /// <param name="wanted">The rows whose scores are wanted.</param>
    /// <param name="logits">Receives them: <c>[wanted.Length, VocabularySize]</c>.</param>
    public void Forward(Workers workers, IAttentionStep step, ReadOnlySpan<int> tokens, ReadOnlySpan<int> wanted, Span<float> logits)
    {
        int rowWidth = Streams * Width;
        using RentedFloats hiddenScratch = new(checked(tokens.Length * rowWidth));
        Span<float> hidden = hiddenScratch.Span;
        for (int row = 0; row < tokens.Length; row++)
        {
            Span<float> first = hidden.Slice(row * rowWidth, Width);
            Embedding.Read(tokens[row], first);
            for (int stream = 1; stream < Streams; stream++)
            {
                first.CopyTo(hidden.Slice((row * rowWidth) + (stream * Width), Width));
            }
        }

        foreach (IDecoderLayer layer in Layers)
        {
            workers.Cancellation.ThrowIfCancellationRequested();
            layer.Forward(workers, step, hidden);
        }

        if (wanted.Length > 0)
        {
            Score(workers, hidden, wanted, logits);
        }
    }

    private void Score(Workers workers, ReadOnlySpan<float> hidden, ReadOnlySpan<int> wanted, Span<float> logits)
    {
        int rowWidth = Streams * Width;
        using RentedFloats gathered = new(wanted.Length * rowWidth);
        for (int i = 0; i < wanted.Length; i++)
        {
            hidden.Slice(wanted[i] * rowWidth, rowWidth).CopyTo(gathered.Span[(i * rowWidth)..]);
        }

        using RentedFloats last = new(wanted.Length * Width);
        if (Merge is null)
        {
            Norm.Forward(workers, gathered.Span, last.Span);
        }
        else
        {
            Merge.Collect(workers, gathered.Span, last.Span, post: []);
            Norm.Forward(workers, last.Span, last.Span);
        }

        if (HeadScale != 1)
        {
            TensorPrimitives.Multiply(last.Span, HeadScale, last.Span);
        }

        workers.Multiply(Head, last.Span, logits, wanted.Length);
    }
}
