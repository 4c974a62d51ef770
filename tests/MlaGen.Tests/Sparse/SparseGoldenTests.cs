using MlaGen.Tests.Attention;
using MlaGen.Tests.Oracles;

namespace MlaGen.Tests.Sparse;

/// <summary>A file with its layers loaded: shared by the tests of one class.</summary>
public sealed class SparseModel<TAttention>
    where TAttention : class, ISparseAttention<TAttention>
{
    internal SparseCase Case { get; } = SparseCase.Load(TAttention.CaseName);

    internal TAttention[] Layers => field ??= [.. Case.Layers.Select((layer, index) => Load(layer, index))];

    private TAttention Load(int layer, int index)
    {
        string prefix = $"model.layers.{layer}.self_attn.";
        var checkpoint = new InMemoryCheckpoint();
        foreach ((string name, WeightTensor weight) in Case.Weights(layer))
        {
            checkpoint.Add(prefix + name, [.. weight.Shape.Select(static size => (long)size)], weight.Values, TensorType.Float32);
        }

        return TAttention.Load(checkpoint, prefix, index);
    }
}

/// <summary>Sparse layers against what transformers computed with the same weights, however their tokens come in: every selection is the same, token by token.</summary>
public abstract class SparseGoldenTests<TAttention>(SparseModel<TAttention> model) : IClassFixture<SparseModel<TAttention>>
    where TAttention : class, ISparseAttention<TAttention>
{
    private readonly SparseCase _golden = model.Case;
    private readonly Prompt _prompt = new(model.Case.Hidden, model.Case.Positions);

    [Theory]
    [InlineData(MlaForm.Absorbed)]
    [InlineData(MlaForm.Decompressed)]
    public void A_prompt_in_one_call_gives_what_transformers_gave(MlaForm form)
    {
        using SparseRun<TAttention> run = new(model.Layers, form: form);
        LatentSequence sequence = run.CreateSequence();

        AssertGolden(run.Feed(sequence, _prompt), sequence);
    }

    [Fact]
    public void Token_by_token_gives_what_transformers_gave()
    {
        using SparseRun<TAttention> run = new(model.Layers);
        LatentSequence sequence = run.CreateSequence();

        AssertGolden(run.Feed(sequence, _prompt, chunk: 1), sequence);
    }

    /// <summary>The sequence prefills beside one that decodes, then decodes beside one that prefills, then both at once beside a short one.</summary>
    [Fact]
    public void Mixed_batches_give_what_transformers_gave()
    {
        using SparseRun<TAttention> run = new(model.Layers, pageTokens: 16);
        LatentSequence sequence = run.CreateSequence();
        LatentSequence decoding = run.CreateSequence();
        LatentSequence prefilling = run.CreateSequence();
        int half = _prompt.Tokens / 2;
        run.Feed(decoding, _prompt.Slice(3, 5));

        SparseResult first = run.Step(new Chunk(decoding, _prompt.Slice(8, 1)), new Chunk(sequence, _prompt.Slice(0, half)));
        SparseResult second = run.Step(new Chunk(prefilling, _prompt.Slice(2, 11)), new Chunk(sequence, _prompt.Slice(half, 1)), new Chunk(decoding, _prompt.Slice(9, 1)));
        SparseResult third = run.Step(
            new Chunk(sequence, _prompt.Slice(half + 1, _prompt.Tokens - half - 1)), new Chunk(decoding, _prompt.Slice(10, 2)), new Chunk(prefilling, _prompt.Slice(13, 1)));

        AssertGolden(first.Rows(1, half).Then(second.Rows(11, 1)).Then(third.Rows(0, _prompt.Tokens - half - 1)), sequence);
    }

    private void AssertGolden(SparseResult result, LatentSequence sequence)
    {
        MlaShape shape = TAttention.Shape;
        int width = CacheLayout.Of<TAttention>().RowElements;
        SparseResult last = result.Rows(_golden.Tokens - _golden.Keep, _golden.Keep);
        for (int i = 0; i < _golden.Layers.Length; i++)
        {
            int layer = _golden.Layers[i];
            if (_golden.Selected(layer) is { } selected)
            {
                Assert.Equal(selected, last.Selected[i]);
            }

            // Roundings of a layer are inputs of the next, and single elements feel them most; transformers' own float32 run is 1.4e-5 from its float64 run after GLM's five
            // layers, and within 3.4e-6 after two.
            Tolerance tolerance = i == 0 ? Tolerance.Float32
                : _golden.Layers.Length == 2 ? Tolerance.Float32 with { Absolute = 4e-5 }
                : Tolerance.Float32 with { RelativeError = 3e-5, Absolute = 2e-4 };
            var rows = new List<float[]>();
            for (int token = _golden.Tokens - _golden.Keep; token < _golden.Tokens; token++)
            {
                float[] row = new float[width];
                sequence.ReadRow(i, token, row);
                rows.Add(row);
            }

            Compare.AssertClose<float, float>($"latent {layer}", rows.SelectMany(row => row[..shape.KvLoraRank]).ToArray(), _golden.Latent(layer), tolerance);
            if (_golden.KRope(layer) is { } rope)
            {
                Compare.AssertClose<float, float>($"k_rope {layer}", rows.SelectMany(row => row[shape.KvLoraRank..shape.CacheRowElements]).ToArray(), rope, tolerance);
            }

            Compare.AssertClose<float, float>($"output {layer}", last.Outputs[i], _golden.Output(layer), tolerance);
        }
    }
}

public sealed class V32GoldenTests(SparseModel<V32Attention> model) : SparseGoldenTests<V32Attention>(model);

public sealed class V32LongGoldenTests(SparseModel<V32LongAttention> model) : SparseGoldenTests<V32LongAttention>(model);

public sealed class V32DenseGoldenTests(SparseModel<V32DenseAttention> model) : SparseGoldenTests<V32DenseAttention>(model);

public sealed class Glm52GoldenTests(SparseModel<Glm52Attention> model) : SparseGoldenTests<Glm52Attention>(model);

public sealed class AxK2GoldenTests(SparseModel<AxK2Attention> model) : SparseGoldenTests<AxK2Attention>(model);

public sealed class Hy4GoldenTests(SparseModel<Hy4Attention> model) : SparseGoldenTests<Hy4Attention>(model);

public sealed class Glm53GoldenTests(SparseModel<Glm53Attention> model) : SparseGoldenTests<Glm53Attention>(model);
