using Storyteller.Model;

namespace MlaGen.Tests.Storyteller;

public class MoeRouterTests
{
    private const float Tolerance = 1e-6f;

    [Fact]
    public void The_best_experts_win_and_their_weights_sum_to_the_scale()
    {
        // One group, no bias: sigmoid(0) = 1/2 and sigmoid(ln 3) = 3/4 are chosen and divided by 5/4.
        (int[] experts, float[] weights) = Route(new MoeRouter(new float[4], 1, 1, 2, normalize: true, 1.5f), Logits(0.1, 0.75, 0.5, 0.2));

        Assert.Equal([1, 2], experts);
        AssertClose([0.6 * 1.5, 0.4 * 1.5], weights);
    }

    [Fact]
    public void Weights_that_are_not_normalised_are_scores_times_the_scale()
    {
        (int[] experts, float[] weights) = Route(new MoeRouter(new float[4], 1, 1, 2, normalize: false, 2), Logits(0.1, 0.75, 0.5, 0.2));

        Assert.Equal([1, 2], experts);
        AssertClose([1.5, 1.0], weights);
    }

    [Fact]
    public void The_bias_decides_who_is_chosen_but_not_how_much_he_counts()
    {
        (int[] experts, float[] weights) = Route(new MoeRouter([0.9f, 0, 0, 0], 1, 1, 2, normalize: true, 1), Logits(0.25, 0.75, 0.5, 0.2));

        Assert.Equal([0, 1], experts);
        AssertClose([0.25, 0.75], weights);
    }

    [Fact]
    public void A_group_counts_by_its_two_best_experts()
    {
        // The best expert of all stands in the group {0.9, 0.1}, whose sum is below that of {0.6, 0.5}.
        (int[] experts, _) = Route(new MoeRouter(new float[4], 2, 1, 2, normalize: true, 1), Logits(0.9, 0.1, 0.6, 0.5));

        Assert.Equal([2, 3], experts);
    }

    [Fact]
    public void Groups_are_ranked_with_the_bias()
    {
        (int[] experts, float[] weights) = Route(new MoeRouter([0, 0.2f, 0, 0], 2, 1, 2, normalize: false, 1), Logits(0.9, 0.1, 0.6, 0.5));

        Assert.Equal([0, 1], experts);
        AssertClose([0.9, 0.1], weights);
    }

    [Fact]
    public void Experts_of_a_dropped_group_stay_out_even_when_those_left_are_negative()
    {
        // With the bias, the kept group's second expert is at -0.3; a dropped one masked with zero would beat it.
        (int[] experts, _) = Route(new MoeRouter([0.9f, -0.4f, -0.4f, -0.4f], 2, 1, 2, normalize: true, 1), Logits(0.9, 0.1, 0.3, 0.3));

        Assert.Equal([0, 1], experts);
    }

    [Fact]
    public void Of_equal_experts_and_groups_the_first_wins()
    {
        (int[] experts, float[] weights) = Route(new MoeRouter(new float[8], 4, 2, 2, normalize: true, 1), Logits(0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5));

        Assert.Equal([0, 1], experts);
        AssertClose([0.5, 0.5], weights);
    }

    [Fact]
    public void Scores_that_vanish_do_not_divide_by_zero()
    {
        (_, float[] weights) = Route(new MoeRouter(new float[4], 1, 1, 2, normalize: true, 1), [-200, -200, -200, -200]);

        Assert.All(weights, weight => Assert.True(float.IsFinite(weight)));
    }

    private static float[] Logits(params double[] scores) => [.. scores.Select(score => (float)Math.Log(score / (1 - score)))];

    private static (int[] Experts, float[] Weights) Route(MoeRouter router, float[] logits)
    {
        int[] experts = new int[router.ChosenExperts];
        float[] weights = new float[router.ChosenExperts];
        router.Route(logits, experts, weights);
        return (experts, weights);
    }

    private static void AssertClose(double[] expected, float[] found)
    {
        Assert.Equal(expected.Length, found.Length);
        for (int i = 0; i < expected.Length; i++)
        {
            Assert.Equal((float)expected[i], found[i], Tolerance);
        }
    }
}
