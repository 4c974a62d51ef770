using MlaGen.Tests.Attention;
using MlaGen.Tests.Oracles;

namespace MlaGen.Tests.Golden;

/// <summary>A generated class that knows its golden file.</summary>
public interface IGoldenAttention<TSelf> : IMlaAttention<TSelf>
    where TSelf : class, IGoldenAttention<TSelf>
{
    static abstract string CaseName { get; }
}

/// <summary>A golden case with its layer loaded: shared by the tests of one class, and gone before the next one's.</summary>
public sealed class GoldenModel<TAttention>
    where TAttention : class, IGoldenAttention<TAttention>
{
    internal GoldenCase Case { get; } = GoldenCase.Load(TAttention.CaseName);

    internal TAttention Layer => field ??= TAttention.Load(TestCheckpoint.Of(Case.WeightsByName), TestCheckpoint.Prefix, layer: 0);
}

/// <summary>A generated class against what transformers computed with the same weights, however its tokens come in.</summary>
public abstract class GoldenAttentionTests<TAttention>(GoldenModel<TAttention> model) : IClassFixture<GoldenModel<TAttention>>
    where TAttention : class, IGoldenAttention<TAttention>
{
    private readonly GoldenCase _golden = model.Case;
    private readonly Prompt _prompt = new(model.Case.Hidden, model.Case.Positions);

    [Theory]
    [InlineData(MlaForm.Absorbed)]
    [InlineData(MlaForm.Decompressed)]
    public void A_prompt_in_one_call_gives_what_transformers_gave(MlaForm form)
    {
        using AttentionRun run = AttentionRun.Open(model.Layer, Exactly(form));
        LatentSequence sequence = run.CreateSequence();

        float[] output = run.Feed(sequence, _prompt);

        AssertGolden(output, sequence, Tolerance.Float32);
    }

    [Theory]
    [InlineData(MlaForm.Absorbed)]
    [InlineData(MlaForm.Decompressed)]
    public void Token_by_token_gives_what_transformers_gave(MlaForm form)
    {
        using AttentionRun run = AttentionRun.Open(model.Layer, Exactly(form));
        LatentSequence sequence = run.CreateSequence();

        float[] output = run.Feed(sequence, _prompt, chunk: 1);

        AssertGolden(output, sequence, Tolerance.Float32);
    }

    /// <summary>The sequence prefills beside one that decodes, then decodes beside one that prefills, then both at once beside a short one.</summary>
    [Theory]
    [InlineData(MlaForm.Absorbed)]
    [InlineData(MlaForm.Decompressed)]
    public void Mixed_batches_give_what_transformers_gave(MlaForm form)
    {
        using AttentionRun run = AttentionRun.Open(model.Layer, Exactly(form) with { PageTokens = 16 });
        LatentSequence sequence = run.CreateSequence();
        LatentSequence decoding = run.CreateSequence();
        LatentSequence prefilling = run.CreateSequence();
        int half = _prompt.Tokens / 2;
        run.Feed(decoding, _prompt.Slice(3, 5));

        float[][] first = run.Step(new Chunk(decoding, _prompt.Slice(8, 1)), new Chunk(sequence, _prompt.Slice(0, half)));
        float[][] second = run.Step(new Chunk(prefilling, _prompt.Slice(2, 11)), new Chunk(sequence, _prompt.Slice(half, 1)), new Chunk(decoding, _prompt.Slice(9, 1)));
        float[][] third = run.Step(
            new Chunk(sequence, _prompt.Slice(half + 1, _prompt.Tokens - half - 1)), new Chunk(decoding, _prompt.Slice(10, 2)), new Chunk(prefilling, _prompt.Slice(13, 1)));

        AssertGolden([.. first[1], .. second[1], .. third[0]], sequence, Tolerance.Float32);
    }

    [Theory]
    [InlineData(MlaForm.Absorbed)]
    [InlineData(MlaForm.Decompressed)]
    public void Products_by_terms_give_what_transformers_gave(MlaForm form)
    {
        using AttentionRun run = AttentionRun.Open(model.Layer, Exactly(form) with { Precision = MlaPrecision.High });
        LatentSequence sequence = run.CreateSequence();

        float[] output = run.Feed(sequence, _prompt);

        AssertGolden(output, sequence, Tolerance.Of(MlaPrecision.High).WithProjections);
    }

    /// <summary>Both read the same rows: of bfloat16, which is where terms are exact.</summary>
    [Fact]
    public void Products_by_terms_are_within_their_bound_of_exact_ones()
    {
        Compare.AssertClose<float, float>("output", Output(MlaPrecision.High), Output(MlaPrecision.Highest), Tolerance.Of(MlaPrecision.High).WithProjections);

        float[] Output(MlaPrecision precision)
        {
            using AttentionRun run = AttentionRun.Open(model.Layer, new RunOptions { Format = CacheFormat.BFloat16, Precision = precision });
            return run.Feed(run.CreateSequence(), _prompt, chunk: 1);
        }
    }

    [Fact]
    public void The_softmax_scale_is_the_one_that_transformers_used()
        => Assert.Equal(_golden.PublishedScale, TAttention.Definition.SoftmaxScale, (float)_golden.PublishedScale * 1e-7);

    private static RunOptions Exactly(MlaForm form) => new() { Form = form, Precision = MlaPrecision.Highest };

    private void AssertGolden(float[] output, LatentSequence sequence, Tolerance tolerance)
    {
        int latent = _golden.Spec.KvLoraRank;
        int width = _golden.Spec.RowWidth;
        float[] rows = AttentionRun.Rows(sequence, width)[^(_golden.Keep * width)..];
        IEnumerable<float[]> tokens = rows.Chunk(width);
        Compare.AssertClose<float, float>("latent", tokens.SelectMany(row => row[..latent]).ToArray(), _golden.Latent, tolerance);
        Compare.AssertClose<float, float>("k_rope", tokens.SelectMany(row => row[latent..]).ToArray(), _golden.KRope, tolerance);
        Compare.AssertClose<float, float>("output", output.AsSpan()[^_golden.Output.Length..], _golden.Output, tolerance);
    }
}

public sealed class TinyGoldenTests(GoldenModel<TinyAttention> model) : GoldenAttentionTests<TinyAttention>(model);

public sealed class BiasHalfSplitGoldenTests(GoldenModel<BiasHalfSplitAttention> model) : GoldenAttentionTests<BiasHalfSplitAttention>(model);

public sealed class DeepSeekV2LiteGoldenTests(GoldenModel<DeepSeekV2LiteAttention> model) : GoldenAttentionTests<DeepSeekV2LiteAttention>(model);

public sealed class DeepSeekV3GoldenTests(GoldenModel<DeepSeekV3Attention> model) : GoldenAttentionTests<DeepSeekV3Attention>(model);

public sealed class DeepSeekV3LateGoldenTests(GoldenModel<DeepSeekV3LateAttention> model) : GoldenAttentionTests<DeepSeekV3LateAttention>(model);

public sealed class Glm47FlashGoldenTests(GoldenModel<Glm47FlashAttention> model) : GoldenAttentionTests<Glm47FlashAttention>(model);

public sealed class KimiK2GoldenTests(GoldenModel<KimiK2Attention> model) : GoldenAttentionTests<KimiK2Attention>(model);

public sealed class KimiLinearGoldenTests(GoldenModel<KimiLinearAttention> model) : GoldenAttentionTests<KimiLinearAttention>(model);

public sealed class LongCatFlashGoldenTests(GoldenModel<LongCatFlashAttention> model) : GoldenAttentionTests<LongCatFlashAttention>(model);

public sealed class MiniCpm3GoldenTests(GoldenModel<MiniCpm3Attention> model) : GoldenAttentionTests<MiniCpm3Attention>(model);

public sealed class Mistral4GoldenTests(GoldenModel<Mistral4Attention> model) : GoldenAttentionTests<Mistral4Attention>(model);
