namespace MlaGen.Models.Tests.Generation;

public class SamplerTests
{
    private static readonly float[] _logits = [2, 1, 0, -1, -20];

    [Fact]
    public void At_temperature_0_the_best_is_chosen() => Assert.Equal([0], Chosen(new SamplingOptions { Temperature = 0 }));

    [Fact]
    public void Top_k_leaves_the_k_best() => Assert.Equal([0, 1, 2], Chosen(new SamplingOptions { TopK = 3, Temperature = 10 }));

    [Fact]
    public void Top_p_leaves_the_fewest_that_reach_it()
    {
        // Probabilities 0.644, 0.237, 0.087, 0.032.
        Assert.Equal([0], Chosen(new SamplingOptions { TopP = 0.64 }));
        Assert.Equal([0, 1], Chosen(new SamplingOptions { TopP = 0.66 }));
        Assert.Equal([0, 1, 2], Chosen(new SamplingOptions { TopP = 0.9 }));
    }

    [Fact]
    public void Min_p_leaves_those_with_a_share_of_the_best() => Assert.Equal([0, 1], Chosen(new SamplingOptions { MinP = 0.3 }));

    [Fact]
    public void Frequencies_are_the_probabilities()
    {
        Sampler sampler = new(new SamplingOptions { Seed = 5 });
        int[] counts = new int[_logits.Length];
        const int Draws = 20000;
        for (int i = 0; i < Draws; i++)
        {
            counts[sampler.Choose(_logits)]++;
        }

        double sum = _logits.Sum(static logit => Math.Exp(logit));
        Assert.All(Enumerable.Range(0, _logits.Length), token => Assert.Equal(Math.Exp(_logits[token]) / sum, (double)counts[token] / Draws, 0.015));
        Assert.Equal(Draws, sampler.Draws);
    }

    [Fact]
    public void A_token_that_was_there_is_made_less_likely()
    {
        Sampler sampler = new(new SamplingOptions { Temperature = 0, RepetitionPenalty = 3 });
        sampler.Accept([1]);

        // 2 becomes 0.67 once it is chosen, 1 was 0.33 from the start.
        Assert.Equal([0, 0, 0], [sampler.Choose(_logits), sampler.Choose(_logits), sampler.Choose(_logits)]);
        Assert.Equal(2, sampler.Choose([0.5f, 1, 0.4f, -1, -20]));
    }

    [Fact]
    public void The_same_seed_makes_the_same_choices_also_from_the_middle()
    {
        Sampler whole = new(new SamplingOptions { Seed = 3 });
        int[] all = [.. Enumerable.Range(0, 20).Select(_ => whole.Choose(_logits))];
        Sampler rest = new(new SamplingOptions { Seed = 3 }, draws: 8);

        Assert.Equal(all[8..], Enumerable.Range(0, 12).Select(_ => rest.Choose(_logits)));
    }

    [Fact]
    public void A_score_that_is_no_number_is_not_chosen() => Assert.Equal(1, new Sampler(new SamplingOptions { Temperature = 0 }).Choose([float.NaN, 1, float.NaN, 0]));

    private static int[] Chosen(SamplingOptions options)
    {
        Sampler sampler = new(options);
        return [.. Enumerable.Range(0, 2000).Select(_ => sampler.Choose(_logits)).Distinct().Order()];
    }
}
