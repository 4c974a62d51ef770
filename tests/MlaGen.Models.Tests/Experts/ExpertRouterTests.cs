namespace MlaGen.Models.Tests.Experts;

/// <summary>Every family's way to choose and to weigh, on logits whose answer is worked out by hand.</summary>
public class ExpertRouterTests
{
    /// <summary>Four groups of two. The best single expert is in the first group, the best pair in the third.</summary>
    private static readonly float[] _logits = [3f, -9f, 1f, 0f, 2.5f, 2.4f, -1f, 2f];

    [Fact]
    public void Greedy_softmax_takes_the_best_of_all_and_does_not_normalise()
    {
        RouterRules rules = new(ExpertScores.Softmax, GroupScore.None, 0, HasBias: false, MayNormalize: false);
        Check(rules, [], [0, 4, 5], [.. new[] { 0, 4, 5 }.Select(static expert => 2 * Softmax(expert))]);
    }

    [Fact]
    public void Groups_by_their_best_expert()
    {
        // Groups 0 and 2: the third choice is the other expert of group 2.
        RouterRules rules = new(ExpertScores.Softmax, GroupScore.Best, 0, HasBias: false, MayNormalize: false);
        Check(rules, [], [0, 4, 5], [.. new[] { 0, 4, 5 }.Select(static expert => 2 * Softmax(expert))]);
    }

    [Fact]
    public void Groups_by_their_two_best_experts_and_weights_that_sum_to_the_scale()
    {
        // Sigmoid sums: 0.95, 1.23, 1.84, 1.15: groups 2 and 1, without the best expert of all.
        double sum = Sigmoid(4) + Sigmoid(5) + Sigmoid(2);
        Check(RouterRules.DeepSeekV3, new float[8], [4, 5, 2], [2 * Sigmoid(4) / sum, 2 * Sigmoid(5) / sum, 2 * Sigmoid(2) / sum]);
    }

    [Fact]
    public void A_bias_decides_who_is_chosen_and_not_how_much_it_counts()
    {
        float[] bias = [0, 2, 0, 0, 0, 0, 0, 0];
        double sum = Sigmoid(1) + Sigmoid(0) + Sigmoid(4);
        Check(RouterRules.DeepSeekV3, bias, [1, 0, 4], [2 * Sigmoid(1) / sum, 2 * Sigmoid(0) / sum, 2 * Sigmoid(4) / sum]);
    }

    [Fact]
    public void Where_dropped_experts_count_0_a_negative_candidate_loses_to_them()
    {
        // Groups 0 and 2 have experts of negative score beside one that is chosen: what is dropped is better than those.
        float[] bias = [2, -3, -3, -3, 2, -3, -3, -3];
        RouterRules rules = RouterRules.DeepSeekV3 with { Dropped = 0 };
        ExpertRouter router = new(rules, bias, Settings());
        int[] experts = new int[3];

        router.Route([.. _logits], experts, new float[3]);

        Assert.Equal([0, 4, 2], experts);
    }

    private static void Check(RouterRules rules, float[] bias, int[] experts, double[] weights)
    {
        int[] found = new int[3];
        float[] foundWeights = new float[3];

        new ExpertRouter(rules, bias, Settings()).Route([.. _logits], found, foundWeights);

        Assert.Equal(experts, found);
        Assert.All(weights.Zip(foundWeights), static pair => Assert.Equal(pair.First, pair.Second, 1e-5));
    }

    private static ExpertSettings Settings() => new() { Routed = 8, Chosen = 3, Groups = 4, ChosenGroups = 2, Width = 1, Normalize = true, Scale = 2 };

    private static double Sigmoid(int expert) => 1 / (1 + Math.Exp(-_logits[expert]));

    private static double Softmax(int expert) => Math.Exp(_logits[expert]) / _logits.Sum(static logit => Math.Exp(logit));
}
