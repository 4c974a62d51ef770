using MlaGen.Tests.Attention;

namespace MlaGen.Tests.Acceptance;

/// <summary>Whole layers of shapes unlike DeepSeek's (A16), in both forms; further ones stand in <see cref="ForwardTests"/>.</summary>
public sealed class OtherShapesTests
{
    [Theory]
    [InlineData(20, 512, 64)]
    [InlineData(40, 256, 32)]
    [InlineData(96, 256, 64)]
    public void A_prompt_and_what_follows_it_give_what_the_oracle_gives(int heads, int latent, int rope)
    {
        TestLayer layer = new LatentShape(heads, latent, rope).TestLayer;
        Prompt prompt = Prompt.Random("other shapes", 112, layer.Spec.HiddenSize);
        foreach (MlaForm form in (MlaForm[])[MlaForm.Absorbed, MlaForm.Decompressed])
        {
            using AttentionRun run = layer.Open(new RunOptions { Form = form, PageTokens = 16 });
            run.ShufflePages(seed: 1);
            LatentSequence sequence = run.CreateSequence();

            float[] output = run.Feed(sequence, prompt, chunk: 101);

            ForwardTests.AssertOracle(layer, prompt, output, sequence);
        }
    }
}
