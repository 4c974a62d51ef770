using MlaGen.Tests.Acceptance;
using MlaGen.Tests.Oracles;

namespace MlaGen.Tests.Attention;

/// <summary>
/// Tokens that overflow, or are no numbers to begin with: whoever sees one gets what comes of it, in both forms at the same places, and nobody
/// else loses a bit.
/// </summary>
public sealed class NonFiniteTests
{
    private const int Runs = 12;

    /// <summary>A NaN with bits of its own, of which arithmetic on bits would make a number.</summary>
    private static readonly float _markedNaN = BitConverter.UInt32BitsToSingle(0xFFFF_FFFF);

    private static readonly float[] _poisons = [float.NaN, _markedNaN, BitConverter.UInt32BitsToSingle(0x7FC0_0001), float.PositiveInfinity, float.NegativeInfinity, 3e38f, -3e38f];

    public static TheoryData<string> Layers => [.. TestLayer.Names];

    public static TheoryData<CacheFormat, MlaForm> FormatsAndForms => TestLayer.FormatsWith(MlaForm.Absorbed, MlaForm.Decompressed);

    /// <summary>Behind a context or none, anywhere in a prompt of any length: tokens before it, and the other sequences of the step, have the bits that they have without it.</summary>
    [Theory]
    [MemberData(nameof(Layers))]
    public void What_is_not_finite_reaches_nobody_that_does_not_see_it(string name)
    {
        TestLayer layer = TestLayer.Get(name);
        for (int seed = 0; seed < Runs; seed++)
        {
            var random = new Random(seed);
            var text = new Continuation(layer, $"{name} {seed}", random.Next(3) * random.Next(150), 1 + random.Next(130));
            var other = new Continuation(layer, $"{name} {seed}, another", random.Next(60), 1 + random.Next(40));
            int bad = random.Next(text.Prompt.Tokens);
            Prompt poisoned = Poison(text.Prompt, bad, random);
            bool[][] finite = new bool[2][];
            foreach (MlaForm form in (MlaForm[])[MlaForm.Absorbed, MlaForm.Decompressed])
            {
                string what = $"seed {seed}, {form}, token {bad} of {text.Prompt.Tokens}";
                var options = new RunOptions { Form = form, PageTokens = 16 };
                float[] clean = text.Whole(options);
                float[] neighbour = other.Whole(options);
                using AttentionRun run = layer.Open(options);
                LatentSequence sequence = text.Start(run);
                LatentSequence beside = other.Start(run);
                float[][] outputs = Step(run, (sequence, poisoned), (beside, other.Prompt));

                int before = bad * text.Prompt.Width;
                Compare.AssertSameBits(what, outputs[0].AsSpan(0, before), clean.AsSpan(0, before));
                Compare.AssertSameBits($"{what}: beside it", outputs[1], neighbour);
                int rows = (sequence.Length - text.Prompt.Tokens + bad) * layer.Spec.RowWidth;
                float[] cached = AttentionRun.Rows(sequence, layer.Spec.RowWidth);
                Compare.AssertSameBits($"{what}: rows", cached.AsSpan(0, rows), Rows(text, options).AsSpan(0, rows));
                finite[(int)form - 1] = [.. outputs[0].Select(float.IsFinite)];

                // What was no number is not mended in silence either.
                if (!poisoned.Hidden.All(float.IsFinite))
                {
                    Assert.DoesNotContain(true, finite[(int)form - 1][before..]);
                }
            }

            // Of a token that is finite still, the forms take the same sums in another order, of which one may overflow before the other.
            bool isFinite = poisoned.Hidden.All(float.IsFinite);
            int own = isFinite ? bad * text.Prompt.Width : 0;
            int end = isFinite ? own + text.Prompt.Width : 0;
            Assert.Equal(finite[0][..own], finite[1][..own]);
            Assert.Equal(finite[0][end..], finite[1][end..]);
        }
    }

    /// <summary>Where a format refuses the row, the step is refused, and without the sequence the others have the bits that they have alone.</summary>
    [Theory]
    [MemberData(nameof(FormatsAndForms))]
    public void A_row_that_a_format_cannot_hold_costs_its_own_sequence_alone(CacheFormat format, MlaForm form)
    {
        TestLayer layer = TestLayer.Get(format);
        var options = new RunOptions { Form = form, PageTokens = 16 };
        var text = new Continuation(layer, "refused", 20, 40);
        var other = new Continuation(layer, "refused, another", 10, 30);
        Prompt poisoned = text.Prompt with { Hidden = [.. text.Prompt.Hidden] };
        poisoned.Hidden.AsSpan(17 * text.Prompt.Width, text.Prompt.Width).Fill(float.NaN);
        using AttentionRun run = layer.Open(options);
        LatentSequence sequence = text.Start(run);
        LatentSequence beside = other.Start(run);
        if (format == CacheFormat.Float32)
        {
            Step(run, (beside, other.Prompt), (sequence, poisoned));
            Assert.Equal((60, 40), (sequence.Length, beside.Length));
            return;
        }

        var error = Assert.Throws<OverflowException>(() => Step(run, (beside, other.Prompt), (sequence, poisoned)));
        Assert.Contains("token 37", error.Message, StringComparison.Ordinal);
        Assert.Contains($"row {other.Prompt.Tokens + 17} of the batch", error.Message, StringComparison.Ordinal);
        Assert.Throws<InvalidOperationException>(run.Batch.Commit);
        run.Batch.Rollback();
        Assert.Equal((20, 10), (sequence.Length, beside.Length));
        Compare.AssertSameBits("beside it", run.Step(new Chunk(beside, other.Prompt))[0], other.Whole(options));
        Compare.AssertSameBits("without it", run.Step(new Chunk(sequence, text.Prompt))[0], text.Whole(options));
    }

    /// <summary>Rows are finite in every format, and what they are decompressed to is not: every token has what it has where nothing follows it.</summary>
    [Theory]
    [MemberData(nameof(FormatsAndForms))]
    public void Keys_and_values_that_overflow_reach_nobody_that_does_not_see_them(CacheFormat format, MlaForm form)
    {
        const int Tokens = 45;
        TestLayer layer = format switch
        {
            CacheFormat.Float32 => Huge<OddAttention>(TestLayer.Get(format)),
            CacheFormat.BFloat16 => Huge<Caching.Formats.BFloat16Attention>(TestLayer.Get(format)),
            CacheFormat.Float16 => Huge<Caching.Formats.Float16Attention>(TestLayer.Get(format)),
            CacheFormat.Float8 => Huge<Caching.Formats.Float8Attention>(TestLayer.Get(format)),
            _ => Huge<Caching.Formats.Int8Attention>(TestLayer.Get(format)),
        };
        Prompt prompt = Prompt.Random("huge", Tokens, layer.Spec.HiddenSize);
        float[] whole = Outputs(Tokens);
        for (int token = 0; token < Tokens; token++)
        {
            Compare.AssertSameNumbers($"token {token}", whole.AsSpan(token * prompt.Width, prompt.Width), Outputs(token + 1).AsSpan(token * prompt.Width));
        }

        // Both kinds are there: otherwise nothing was tried.
        Assert.Contains(whole, float.IsFinite);
        Assert.Equal(form == MlaForm.Decompressed, whole.Any(value => !float.IsFinite(value)));

        float[] Outputs(int tokens)
        {
            using AttentionRun run = layer.Open(new RunOptions { Form = form });
            return Step(run, (run.CreateSequence(), prompt.Slice(0, tokens)))[0];
        }
    }

    /// <summary>A score of infinity is no number's, one of negative infinity weighs nothing; where nothing weighs anything there are zeros, in both forms.</summary>
    [Theory]
    [InlineData(MlaForm.Absorbed, 1, false)]
    [InlineData(MlaForm.Decompressed, 1, false)]
    [InlineData(MlaForm.Absorbed, -1, true)]
    [InlineData(MlaForm.Decompressed, -1, true)]
    public void Scores_that_overflow_are_the_same_in_both_forms(MlaForm form, int sign, bool finite)
    {
        OracleSpec spec = TestLayer.Get("one head").Spec;
        Dictionary<string, WeightTensor> weights = RandomLayer.Weights(spec, "scores");
        for (int i = 0; i < spec.QkRopeHeadDim; i++)
        {
            weights["kv_a_proj_with_mqa.weight"].Values[(spec.KvLoraRank + i) * spec.HiddenSize] = 1e10f;
            weights["q_proj.weight"].Values[(spec.QkNopeHeadDim + i) * spec.HiddenSize] = sign;
        }

        OneHeadAttention layer = OneHeadAttention.Load(TestCheckpoint.Of(weights), TestCheckpoint.Prefix, layer: 0);
        float[] hidden = new float[3 * spec.HiddenSize];
        hidden[0] = hidden[spec.HiddenSize] = hidden[2 * spec.HiddenSize] = 1e30f;
        using AttentionRun run = AttentionRun.Open(layer, new RunOptions { Form = form });

        float[] output = Step(run, (run.CreateSequence(), new Prompt(hidden, [0, 1, 2])))[0];

        Assert.All(output, value => Assert.True(finite ? value == 0 : float.IsNaN(value), $"{value}"));
    }

    /// <summary>The core alone, from rows as they are given: also where only the rotary part is no number.</summary>
    [Theory]
    [MemberData(nameof(Layers))]
    public void A_row_that_is_not_finite_is_told_to_every_query_that_sees_it_and_to_no_other(string name)
    {
        const int Tokens = 70;
        OracleSpec spec = TestLayer.Get(name).Spec;
        for (int seed = 0; seed < Runs; seed++)
        {
            var random = new Random(seed);
            float[] rows = AttendLatentTests.Rows(spec, $"{name} {seed}", Tokens);
            float[] clean = Attend(rows);
            int bad = random.Next(Tokens);
            rows[(bad * spec.RowWidth) + random.Next(spec.RowWidth)] = _poisons[random.Next(3)];
            float[] found = Attend(rows);

            int width = spec.Heads * (spec.KvLoraRank + 1);
            Compare.AssertSameBits($"seed {seed}: before row {bad}", found.AsSpan(0, bad * width), clean.AsSpan(0, bad * width));
            Assert.All(found[(bad * width)..], value => Assert.True(float.IsNaN(value)));
        }

        // For each query its log-sum-exp, then its output.
        float[] Attend(float[] rows)
        {
            using AttentionRun run = TestLayer.Get(name).Open(new RunOptions());
            LatentSequence sequence = run.CreateSequence(rows, spec.RowWidth);
            run.Batch.AddQueries(sequence, Tokens);
            float[] output = new float[Tokens * spec.Heads * spec.KvLoraRank];
            float[] logSumExp = new float[Tokens * spec.Heads];
            run.AttendLatent(Prompt.Random(name, Tokens, spec.Heads * spec.RowWidth).Hidden, output, logSumExp);
            run.Batch.Rollback();
            int width = spec.Heads * spec.KvLoraRank;
            return [.. Enumerable.Range(0, Tokens).SelectMany(i => (IEnumerable<float>)[.. logSumExp[(i * spec.Heads)..((i + 1) * spec.Heads)], .. output[(i * width)..((i + 1) * width)]])];
        }
    }

    /// <summary>A candidate that overflows: those that do not continue it, and what is accepted of them, have their bits.</summary>
    [Theory]
    [MemberData(nameof(Layers))]
    public void A_candidate_that_is_not_finite_does_not_reach_its_siblings(string name)
    {
        int[] parents = [-1, 0, 0, 1, -1, 4, 2, 3, 7, 5, 5, 8];
        TestLayer layer = TestLayer.Get(name);
        for (int bad = 0; bad < parents.Length; bad++)
        {
            var text = new Continuation(layer, name, cached: 130, parents.Length);
            float[] clean = Verify(text.Prompt);
            float[] found = Verify(Poison(text.Prompt, bad, new Random(bad), _markedNaN));
            for (int candidate = 0; candidate < parents.Length; candidate++)
            {
                Range row = (candidate * text.Prompt.Width)..((candidate + 1) * text.Prompt.Width);
                if (Sees(candidate, bad))
                {
                    Assert.All(found[row], value => Assert.True(float.IsNaN(value)));
                }
                else
                {
                    Compare.AssertSameBits($"{candidate} beside {bad}", found[row], clean[row]);
                }
            }

            float[] Verify(Prompt prompt)
            {
                using AttentionRun run = layer.Open(new RunOptions { PageTokens = 16 });
                run.Batch.Add(text.Start(run), parents.Length, parents: parents);
                float[] output = new float[prompt.Hidden.Length];
                run.Forward(prompt.Hidden, output);
                run.Batch.Rollback();
                return output;
            }
        }

        bool Sees(int candidate, int bad) => candidate == bad || (candidate >= 0 && parents[candidate] >= 0 && Sees(parents[candidate], bad));
    }

    /// <summary>Pages before the one that holds it, and those of the same text that hold it, are as good to others as to their own sequence.</summary>
    [Theory]
    [InlineData(MlaForm.Absorbed)]
    [InlineData(MlaForm.Decompressed)]
    public void Known_prefixes_give_the_bits_of_the_whole_text(MlaForm form)
    {
        const int Page = 16;
        TestLayer layer = TestLayer.Get("yarn");
        var options = new RunOptions { Form = form, PageTokens = Page };
        Prompt prompt = Poison(Prompt.Random("known", 60, layer.Spec.HiddenSize), 37, new Random(1), float.NaN);
        int[] tokens = [.. Enumerable.Range(0, 60)];
        using AttentionRun run = layer.Open(options);
        LatentSequence whole = run.CreateSequence();
        float[] expected = Step(run, (whole, prompt))[0];
        Assert.Equal(3, run.Prefixes.Register(whole, tokens));
        foreach (int end in (int[])[Page + 1, (2 * Page) + 1, 37, 60])
        {
            Assert.True(run.Prefixes.TryStart(tokens.AsSpan(0, end), out LatentSequence? started));
            int known = started.Length;
            float[] output = Step(run, (started, prompt.Slice(known, end - known)))[0];
            Compare.AssertSameNumbers($"to {end}", output, expected.AsSpan(known * prompt.Width, output.Length));
        }
    }

    /// <summary>A layer one of whose values overflows for every twentieth token or so.</summary>
    private static TestLayer Huge<TAttention>(TestLayer like)
        where TAttention : class, IMlaAttention<TAttention>
        => TestLayer.Make<TAttention>("huge", _ => like.Spec, biases: typeof(TAttention) == typeof(OddAttention), change: weights =>
        {
            foreach (ref float weight in weights["kv_b_proj.weight"].Values.AsSpan(like.Spec.QkNopeHeadDim * like.Spec.KvLoraRank, like.Spec.KvLoraRank))
            {
                weight *= 8.5e37f;
            }
        }).Value;

    private static float[] Rows(Continuation text, RunOptions options)
    {
        using AttentionRun run = text.Layer.Open(options);
        LatentSequence sequence = text.Start(run);
        run.Step(new Chunk(sequence, text.Prompt));
        return AttentionRun.Rows(sequence, text.Layer.Spec.RowWidth);
    }

    /// <summary>A prompt one of whose tokens is not finite, or will not be: all of it, or one element.</summary>
    private static Prompt Poison(Prompt prompt, int token, Random random, float? poison = null)
    {
        float[] hidden = [.. prompt.Hidden];
        Span<float> row = hidden.AsSpan(token * prompt.Width, prompt.Width);
        float value = poison ?? _poisons[random.Next(_poisons.Length)];
        switch (random.Next(3))
        {
            case 0:
                row.Fill(value);
                break;
            case 1:
                row[random.Next(row.Length)] = value;
                break;
            default:
                for (int i = 0; i < row.Length; i++)
                {
                    row[i] = random.Next(2) == 0 ? value : -value;
                }

                break;
        }

        return prompt with { Hidden = hidden };
    }

    /// <summary>A committed step whose outputs may be anything.</summary>
    private static float[][] Step(AttentionRun run, params ReadOnlySpan<(LatentSequence Sequence, Prompt Prompt)> parts)
    {
        List<float> hidden = [];
        foreach ((LatentSequence sequence, Prompt prompt) in parts)
        {
            run.Batch.Add(sequence, prompt.Tokens, prompt.Positions);
            hidden.AddRange(prompt.Hidden);
        }

        float[] output = [.. hidden];
        run.Forward(output, output);
        run.Batch.Commit();
        float[][] outputs = new float[parts.Length][];
        int start = 0;
        for (int i = 0; i < outputs.Length; i++)
        {
            outputs[i] = output[start..(start += parts[i].Prompt.Hidden.Length)];
        }

        return outputs;
    }
}
