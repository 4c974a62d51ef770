using System.Numerics.Tensors;
using MlaGen.Tests.Oracles;

namespace MlaGen.Tests.Attention;

/// <summary>The overload on tensors: the same layer, and shapes that are checked dimension by dimension.</summary>
public sealed class TensorTests
{
    private const int Tokens = 5;

    private static readonly int _width = YarnAttention.HiddenSize;

    [Fact]
    public void Tensors_give_the_bits_of_spans()
    {
        Prompt prompt = Prompt.Random("tensors", Tokens, _width);
        float[] spans = Run((layer, batch, output) => layer.Forward(batch, prompt.Hidden, output));
        float[] tensors = Run((layer, batch, output) => layer.Forward(
            batch,
            new ReadOnlyTensorSpan<float>(prompt.Hidden, [Tokens, _width], []),
            new TensorSpan<float>(output, [Tokens, _width], [])));
        Compare.AssertSameBits("tensors", tensors, spans);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void A_tensor_of_another_shape_is_refused_even_if_it_is_as_long(int rank)
    {
        nint[] lengths = rank == 1 ? [Tokens * _width] : [_width, Tokens];
        var exception = Assert.Throws<ArgumentException>(() => Run((layer, batch, output) => layer.Forward(
            batch,
            new ReadOnlyTensorSpan<float>(new float[Tokens * _width], lengths, []),
            new TensorSpan<float>(output, [Tokens, _width], []))));
        Assert.Contains($"[{Tokens}, {_width}]", exception.Message, StringComparison.Ordinal);
    }

    private static float[] Run(Action<YarnAttention, MlaBatch<YarnAttention>, float[]> forward)
    {
        OracleSpec spec = TestLayer.Get("yarn").Spec;
        YarnAttention layer = YarnAttention.Load(TestCheckpoint.Of(RandomLayer.Weights(spec, "tensors")), TestCheckpoint.Prefix, layer: 0);
        using LatentCache<YarnAttention> cache = YarnAttention.CreateCache(layers: 1, maxTokens: 64);
        using LatentSequence sequence = cache.CreateSequence();
        using MlaBatch<YarnAttention> batch = cache.CreateBatch();
        batch.Add(sequence, Tokens);
        float[] output = new float[Tokens * _width];
        forward(layer, batch, output);
        batch.Commit();
        return output;
    }
}
