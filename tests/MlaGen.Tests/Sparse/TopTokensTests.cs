namespace MlaGen.Tests.Sparse;

/// <summary>The highest scores, against a sort.</summary>
public sealed class TopTokensTests
{
    /// <summary>Kinds of scores: spread, nearly equal, of few values, and of all kinds that a float has.</summary>
    public static TheoryData<string, int, int> Cases()
    {
        var data = new TheoryData<string, int, int>();
        foreach (string kind in new[] { "normal", "close", "few", "bits", "ascending", "equal", "zeros" })
        {
            foreach ((int count, int selected) in new[] { (1, 1), (2, 1), (64, 64), (65, 64), (1000, 1), (1000, 999), (1000, 500), (5000, 2048) })
            {
                data.Add(kind, count, selected);
            }
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void The_tokens_are_those_of_a_stable_sort(string kind, int count, int selected)
    {
        float[] scores = Scores(kind, count);
        int[] tokens = new int[selected];

        int found = TopTokens.Select(scores, tokens);

        int[] expected = [.. Enumerable.Range(0, count).Where(i => !float.IsNegativeInfinity(scores[i])).OrderByDescending(i => scores[i] == 0 ? 0f : scores[i]).ThenBy(static i => i).Take(selected).Order()];
        Assert.Equal(expected, tokens[..found]);
    }

    [Fact]
    public void Zeros_of_both_signs_are_equal()
    {
        int[] tokens = new int[3];

        Assert.Equal(3, TopTokens.Select([-0f, 0f, -1f, -0f, 0f], tokens));
        Assert.Equal([0, 1, 3], tokens);
    }

    [Fact]
    public void Negative_infinity_is_never_selected()
    {
        int[] tokens = new int[4];

        Assert.Equal(2, TopTokens.Select([float.NegativeInfinity, float.MinValue, float.NegativeInfinity, float.PositiveInfinity], tokens));
        Assert.Equal([1, 3], tokens[..2]);
        Assert.Equal(0, TopTokens.Select([float.NegativeInfinity], tokens));
        Assert.Equal(0, TopTokens.Select([], tokens));
        Assert.Equal(0, TopTokens.Select([1f], []));
    }

    [Fact]
    public void A_score_that_is_not_a_number_is_named()
        => Assert.StartsWith("The score of token 1 is not a number", Assert.Throws<ArgumentException>(static () => TopTokens.Select([1f, float.NaN], new int[1])).Message, StringComparison.Ordinal);

    private static float[] Scores(string kind, int count)
    {
        Random random = new(count);
        return [.. Enumerable.Range(0, count).Select(i => kind switch
        {
            "normal" => (float)(random.NextDouble() - 0.5) * 20,
            "close" => 1f + (random.Next(50) * 1.1920929e-7f),
            "few" => random.Next(-2, 3),
            "bits" => Finite(random),
            "ascending" => i - (count / 2f),
            "equal" => -3.5f,
            _ => random.Next(2) == 0 ? -0f : 0f,
        })];
    }

    private static float Finite(Random random)
    {
        float value = BitConverter.Int32BitsToSingle(random.Next(int.MinValue, int.MaxValue));
        return float.IsNaN(value) ? random.Next(2) == 0 ? float.PositiveInfinity : float.NegativeInfinity : value;
    }
}
