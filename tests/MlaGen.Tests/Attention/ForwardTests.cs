using MlaGen.Tests.Oracles;

namespace MlaGen.Tests.Attention;

/// <summary><c>Forward</c> against the oracle, over shapes that published models do not have.</summary>
public sealed class ForwardTests
{
    public static TheoryData<string, MlaForm> LayersAndForms => LayersWith(MlaForm.Absorbed, MlaForm.Decompressed, MlaForm.Auto);

    public static TheoryData<string, MlaForm> LayersAndPinnedForms => LayersWith(MlaForm.Absorbed, MlaForm.Decompressed);

    [Theory]
    [MemberData(nameof(LayersAndForms))]
    public void A_prompt_gives_what_the_oracle_gives(string name, MlaForm form)
    {
        TestLayer layer = TestLayer.Get(name);
        Prompt prompt = Prompt.Random(name, 150, layer.Spec.HiddenSize);
        using AttentionRun run = layer.Open(new RunOptions { Form = form });
        LatentSequence sequence = run.CreateSequence();

        float[] output = run.Feed(sequence, prompt);

        AssertOracle(layer, prompt, output, sequence);
    }

    [Theory]
    [MemberData(nameof(LayersAndForms))]
    public void Positions_may_have_gaps_and_lie_far_out(string name, MlaForm form)
    {
        TestLayer layer = TestLayer.Get(name);
        Prompt prompt = Prompt.Random(name, 9, layer.Spec.HiddenSize) with { Positions = [5, 6, 31, 32, 33, 4095, 4096, 8190, 8191] };
        using AttentionRun run = layer.Open(new RunOptions { Form = form });
        LatentSequence sequence = run.CreateSequence();

        float[] output = run.Feed(sequence, prompt, chunk: 4);

        AssertOracle(layer, prompt, output, sequence);
    }

    [Theory]
    [MemberData(nameof(LayersAndForms))]
    public void Every_sequence_of_a_mixed_batch_gives_what_the_oracle_gives(string name, MlaForm form)
    {
        TestLayer layer = TestLayer.Get(name);
        Prompt[] prompts = [.. new[] { 1, 17, 33, 80, 3 }.Select((tokens, i) => Prompt.Random($"{name} {i}", tokens + 20, layer.Spec.HiddenSize, start: 7 * i))];
        using AttentionRun run = layer.Open(new RunOptions { Form = form, PageTokens = 16 });
        LatentSequence[] sequences = [.. prompts.Select(_ => run.CreateSequence())];

        float[][] first = run.Step([.. prompts.Select((prompt, i) => new Chunk(sequences[i], prompt.Slice(0, prompt.Tokens - 20)))]);
        float[][] second = run.Step([.. prompts.Select((prompt, i) => new Chunk(sequences[i], prompt.Slice(prompt.Tokens - 20, 1 + (4 * i))))]);

        for (int i = 0; i < prompts.Length; i++)
        {
            AssertOracle(layer, prompts[i].Slice(0, sequences[i].Length), [.. first[i], .. second[i]], sequences[i]);
        }
    }

    [Theory]
    [MemberData(nameof(LayersAndPinnedForms))]
    public void The_output_may_take_the_place_of_the_input(string name, MlaForm form)
    {
        TestLayer layer = TestLayer.Get(name);
        Prompt prompt = Prompt.Random(name, 37, layer.Spec.HiddenSize);
        using AttentionRun run = layer.Open(new RunOptions { Form = form });
        float[] apart = run.Feed(run.CreateSequence(), prompt);

        float[] together = [.. prompt.Hidden];
        run.Batch.Add(run.CreateSequence(), prompt.Tokens);
        run.Forward(together, together);

        Compare.AssertSameBits("output", together, apart);
    }

    private static TheoryData<string, MlaForm> LayersWith(params MlaForm[] forms)
    {
        var data = new TheoryData<string, MlaForm>();
        foreach (string name in TestLayer.Names)
        {
            foreach (MlaForm form in forms)
            {
                data.Add(name, form);
            }
        }

        return data;
    }

    internal static void AssertOracle(TestLayer layer, Prompt prompt, float[] output, LatentSequence sequence)
    {
        OracleResult expected = DecompressedOracle.Forward(layer.Spec, layer.Weights, prompt.Hidden, prompt.Positions);
        int latent = layer.Spec.KvLoraRank;
        float[][] rows = [.. AttentionRun.Rows(sequence, layer.Spec.RowWidth).Chunk(layer.Spec.RowWidth)];
        Compare.AssertClose<float, double>("latent", rows.SelectMany(row => row[..latent]).ToArray(), expected.Latent, Tolerance.Float32);
        Compare.AssertClose<float, double>("k_rope", rows.SelectMany(row => row[latent..]).ToArray(), expected.KRope, Tolerance.Float32);
        Compare.AssertClose<float, double>("output", output, expected.Output, Tolerance.Float32.ForScores(expected.MaxScore));
    }
}
