using System.Numerics.Tensors;

namespace MlaGen.Models;

/// <summary>
/// How a block reads from the streams of a widened residual and writes to them (hyper-connections, transformers' <c>HYV4HyperConnection</c>):
/// <c>mixes = projection · flat(streams) / rms(streams)</c>, one weight a stream for reading, and one for writing.
/// </summary>
/// <param name="projection">From all streams to the weights: for reading, then, where the block writes too, for writing.</param>
/// <param name="scale">Factor on the mixes for reading, and on those for writing.</param>
/// <param name="bias">Added to each.</param>
/// <param name="streams">Streams (<c>hc_mult</c>).</param>
/// <param name="normEpsilon"><c>rms_norm_eps</c>.</param>
/// <param name="epsilon"><c>hc_eps</c>.</param>
/// <param name="magnitude"><c>hc_magnitude</c>: the largest weight for writing.</param>
internal sealed class StreamMix(Linear projection, float[] scale, float[] bias, int streams, float normEpsilon, float epsilon, float magnitude)
{
    private int Mixes => projection.OutFeatures;

    public int Streams => streams;

    /// <summary>Sums the streams of every row by their weights.</summary>
    /// <param name="workers">What products run on.</param>
    /// <param name="hidden"><c>[rows, streams, width]</c>.</param>
    /// <param name="input">Takes <c>[rows, width]</c>.</param>
    /// <param name="post">Takes the weights for writing, <c>[rows, streams]</c>; empty where nothing is written.</param>
    public void Collect(Workers workers, ReadOnlySpan<float> hidden, Span<float> input, Span<float> post)
    {
        int flat = projection.InFeatures;
        int width = flat / streams;
        int rows = hidden.Length / flat;
        using RentedFloats mixScratch = new(rows * Mixes);
        workers.Multiply(projection, hidden, mixScratch.Span, rows);
        input.Clear();
        for (int row = 0; row < rows; row++)
        {
            ReadOnlySpan<float> all = hidden.Slice(row * flat, flat);
            Span<float> mixes = mixScratch.Span.Slice(row * Mixes, Mixes);
            float norm = 1 / MathF.Sqrt((RowArithmetic.SumOfSquares(all) / flat) + normEpsilon);
            Span<float> sum = input.Slice(row * width, width);
            for (int stream = 0; stream < streams; stream++)
            {
                float weight = RowArithmetic.Sigmoid((mixes[stream] * norm * scale[0]) + bias[stream]) + epsilon;
                TensorPrimitives.MultiplyAdd(all.Slice(stream * width, width), weight, sum, sum);
            }

            for (int stream = 0; stream < streams && !post.IsEmpty; stream++)
            {
                int mix = streams + stream;
                post[(row * streams) + stream] = (magnitude * RowArithmetic.Sigmoid((mixes[mix] * norm * scale[1]) + bias[mix])) + epsilon;
            }
        }
    }

    /// <summary>Adds a block's output to every stream, by the weights for writing.</summary>
    public void Spread(ReadOnlySpan<float> output, ReadOnlySpan<float> post, Span<float> hidden)
    {
        int width = projection.InFeatures / streams;
        for (int i = 0; i < post.Length; i++)
        {
            Span<float> stream = hidden.Slice(i * width, width);
            TensorPrimitives.MultiplyAdd(output.Slice(i / streams * width, width), post[i], stream, stream);
        }
    }
}

/// <summary>A layer whose attention and feed-forward part each read from the streams and write to them.</summary>
internal sealed class HyperConnectedLayer(StreamMix attentionMix, INorm inputNorm, IAttention attention, StreamMix feedForwardMix, INorm postAttentionNorm, IFeedForward feedForward) : IDecoderLayer
{
    public void Forward(Workers workers, IAttentionStep step, Span<float> hidden)
    {
        int streams = attentionMix.Streams;
        using RentedFloats inputScratch = new(hidden.Length / streams);
        using RentedFloats outputScratch = new(hidden.Length / streams);
        using RentedFloats postScratch = new(step.Rows * streams);
        Span<float> input = inputScratch.Span;
        Span<float> output = outputScratch.Span;
        Span<float> post = postScratch.Span;

        attentionMix.Collect(workers, hidden, input, post);
        inputNorm.Forward(workers, input, input);
        attention.Forward(step, input, output);
        attentionMix.Spread(output, post, hidden);

        feedForwardMix.Collect(workers, hidden, input, post);
        postAttentionNorm.Forward(workers, input, input);
        feedForward.Forward(workers, input, output, step.Rows);
        feedForwardMix.Spread(output, post, hidden);
    }
}
