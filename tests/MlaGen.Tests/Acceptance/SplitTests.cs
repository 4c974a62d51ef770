using MlaGen.Tests.Attention;
using MlaGen.Tests.Oracles;

namespace MlaGen.Tests.Acceptance;

/// <summary>A10: wherever a text is cut into what is prefilled and what is decoded, and whatever was tried and taken back in between, it is the same text.</summary>
[Trait("Suite", "Acceptance")]
public sealed class SplitTests
{
    private const int Tokens = 6;

    /// <summary>Blocks of every tier end within the text, or do not.</summary>
    public static TheoryData<CacheFormat, MlaForm, int> Cases
    {
        get
        {
            var data = new TheoryData<CacheFormat, MlaForm, int>();
            foreach (CacheFormat format in TestLayer.Formats)
            {
                foreach (MlaForm form in Enum.GetValues<MlaForm>())
                {
                    data.Add(format, form, 0);
                    data.Add(format, form, 140);
                }
            }

            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Prefilling_some_tokens_and_decoding_the_rest_gives_the_whole(CacheFormat format, MlaForm form, int cached)
    {
        var text = new Continuation(TestLayer.Get(format), "split", cached, Tokens);
        Prompt wrong = Prompt.Random("wrong", 5, text.Prompt.Width, start: cached);
        var options = new RunOptions { Form = form, PageTokens = 16 };
        float[] whole = text.Whole(options);
        using AttentionRun run = text.Layer.Open(options);
        for (int prefilled = 0; prefilled <= Tokens; prefilled++)
        {
            using LatentSequence sequence = text.Start(run);
            float[] prefill = run.Feed(sequence, text.Prompt.Slice(0, prefilled));

            // A step that is rolled back, then one that is committed and truncated.
            run.Batch.Add(sequence, wrong.Tokens);
            run.Forward(wrong.Hidden, new float[wrong.Hidden.Length]);
            run.Batch.Rollback();
            run.Feed(sequence, wrong);
            sequence.Truncate(cached + prefilled);

            float[] output = [.. prefill, .. run.Feed(sequence, text.Prompt.Slice(prefilled, Tokens - prefilled), chunk: 1)];

            if (form == MlaForm.Auto)
            {
                text.AssertOracle($"{prefilled} prefilled", output, sequence);
            }
            else
            {
                Compare.AssertSameBits($"{prefilled} prefilled", output, whole);
            }
        }
    }
}
