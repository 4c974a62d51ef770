using System.Numerics.Tensors;

namespace MlaGen.Models.Tests.Golden;

/// <summary>Whole models against transformers: float32 arithmetic on the same weights.</summary>
public class GoldenModelTests
{
    private const double Tolerance = 2e-5;

    /// <summary>What two computations in double precision may differ by, one of which was kept in floats.</summary>
    private const double ReferenceTolerance = 1e-6;

    private const double LeastMargin = 1e-4;

    /// <summary>Positions at the prompt's end whose scores the files have.</summary>
    private const int Scored = 8;

    /// <summary>
    /// Six index heads score several tokens with exactly 0 now and then. Which of them transformers takes is what <c>std::nth_element</c> leaves in front; here it is the lower
    /// token. In the files of two models such a choice was made, so theirs are the scores of a reference that takes the lower token, and is known by what it gives in torch's order.
    /// </summary>
    private static readonly string[] _withTies = ["axk2", "glm-5.2"];

    public static TheoryData<string> Names => [.. TinyModels.Names];

    public static TheoryData<string, int> NamesAndChunks
    {
        get
        {
            TheoryData<string, int> data = [];
            foreach (string name in TinyModels.Names)
            {
                data.Add(name, 1);
                data.Add(name, 7);
                data.Add(name, int.MaxValue);
            }

            return data;
        }
    }

    [Theory]
    [MemberData(nameof(NamesAndChunks))]
    public void Scores_of_a_prompt_are_the_golden_ones(string name, int chunk)
    {
        GoldenModel golden = GoldenModel.Read(name);
        using ModelRun run = new(TinyModels.Load(name), sequences: 1);

        float[] scores = run.Feed(0, golden.Prompt, chunk, Scored);

        float[] expected = _withTies.Contains(name) ? [.. new SparseReference(name, TieOrders.LowerIndex).Scores(golden.Prompt)[^Scored..].SelectMany(Narrow)] : golden.Logits;
        AssertClose(expected, scores, Scored, Tolerance);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Greedy_decoding_goes_on_as_transformers_does(string name)
    {
        GoldenModel golden = GoldenModel.Read(name);
        using ModelRun run = new(TinyModels.Load(name), sequences: 1);
        (int[] expected, float[] last) = _withTies.Contains(name) ? Greedy(new SparseReference(name, TieOrders.LowerIndex), golden) : (golden.Greedy, golden.LastLogits);

        float[] scores = run.Feed(0, golden.Prompt, int.MaxValue, 1);
        List<int> told = [];
        foreach (int _ in golden.Greedy)
        {
            told.Add(TensorPrimitives.IndexOfMax<float>(scores));
            scores = run.Feed(0, told[^1..].ToArray(), 1, 1);
        }

        Assert.True(golden.SmallestMargin > LeastMargin);
        Assert.Equal(expected, told);
        AssertClose(last, scores, 1, Tolerance);
    }

    /// <summary>The reference for models with ties is one: with torch's order of equal scores it gives every golden number.</summary>
    [Theory]
    [InlineData("axk2")]
    [InlineData("glm-5.2")]
    public void In_torchs_order_of_equal_scores_the_reference_gives_the_golden_scores(string name)
    {
        GoldenModel golden = GoldenModel.Read(name);
        SparseReference reference = new(name, TieOrders.NthElement);

        AssertClose(golden.Logits, [.. reference.Scores(golden.Prompt)[^Scored..].SelectMany(Narrow)], Scored, ReferenceTolerance);
        (int[] told, float[] last) = Greedy(reference, golden);
        Assert.Equal(golden.Greedy, told);
        AssertClose(golden.LastLogits, last, 1, ReferenceTolerance);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Among_others_a_sequence_has_the_bits_that_it_has_alone(string name)
    {
        GoldenModel golden = GoldenModel.Read(name);
        LanguageModel model = TinyModels.Load(name);
        int[] fed = [.. golden.Prompt, .. golden.Greedy];
        using ModelRun alone = new(model, sequences: 1);
        using ModelRun among = new(model, sequences: 4);

        // Others of different lengths, fed with different chunks: what each step holds besides the sequence is never the same.
        for (int start = 0; start < fed.Length; start += 5)
        {
            int[] chunk = fed[start..Math.Min(start + 5, fed.Length)];
            float[] expected = alone.Step([(0, chunk)]);
            float[] found = among.Step([(1, fed[..(1 + (start % 7))]), (0, chunk), (2, fed[^1..]), (3, fed[..((start % 11) + 12)])]);

            Assert.Equal(expected, found.AsSpan(model.Config.VocabularySize, model.Config.VocabularySize).ToArray());
        }
    }

    /// <summary>The tokens that a reference tells, and the scores after the last one.</summary>
    private static (int[] Told, float[] Last) Greedy(SparseReference reference, GoldenModel golden)
    {
        List<int> told = [];
        double[] scores = reference.Scores(golden.Prompt)[^1];
        foreach (int _ in golden.Greedy)
        {
            // Every token is chosen by more than rounding could change.
            double[] best = [.. scores.OrderDescending().Take(2)];
            Assert.True(best[0] - best[1] > LeastMargin);
            told.Add(TensorPrimitives.IndexOfMax<double>(scores));
            scores = reference.Scores([.. golden.Prompt, .. told])[^1];
        }

        return ([.. told], Narrow(scores));
    }

    private static float[] Narrow(double[] values) => [.. values.Select(static value => (float)value)];

    /// <summary>That each row of scores is as near as that.</summary>
    private static void AssertClose(float[] expected, float[] found, int rows, double tolerance)
    {
        Assert.Equal(expected.Length, found.Length);
        int width = expected.Length / rows;
        for (int row = 0; row < rows; row++)
        {
            Assert.InRange(GoldenModel.RelativeError(found.AsSpan(row * width, width), expected.AsSpan(row * width, width)), 0, tolerance);
        }
    }
}
