using Storyteller.Text;

namespace MlaGen.Tests.Storyteller;

public class SamplerTests
{
    private static readonly float[] _logits = [0, MathF.Log(3), MathF.Log(6), float.NegativeInfinity];

    [Fact]
    public void At_temperature_zero_the_most_likely_token_is_chosen_and_of_equal_ones_the_first() =>
        Assert.Equal(1, new Sampler(0, seed: 7).Choose([1, 3, 3, 2]));

    [Fact]
    public void The_same_seed_makes_the_same_choices_and_another_seed_others()
    {
        Assert.Equal(Choices(1, seed: 7, 50), Choices(1, seed: 7, 50));
        Assert.NotEqual(Choices(1, seed: 7, 50), Choices(1, seed: 8, 50));
    }

    [Fact]
    public void The_choices_go_on_after_those_made_before()
    {
        Sampler sampler = new(1, seed: 7);
        int[] first = [.. Enumerable.Range(0, 20).Select(_ => sampler.Choose(_logits))];
        Sampler next = new(1, seed: 7, sampler.Draws);

        int[] rest = [.. Enumerable.Range(0, 30).Select(_ => next.Choose(_logits))];

        Assert.Equal(Choices(1, seed: 7, 50), first.Concat(rest));
    }

    [Theory]
    [InlineData(1.0, 0.1, 0.3, 0.6)]
    [InlineData(0.5, 1 / 46.0, 9 / 46.0, 36 / 46.0)]
    public void Tokens_come_as_often_as_they_are_likely(double temperature, double first, double second, double third)
    {
        const int Draws = 20_000;

        int[] choices = Choices(temperature, seed: 1, Draws);

        Assert.Equal(first, choices.Count(token => token == 0) / (double)Draws, 0.01);
        Assert.Equal(second, choices.Count(token => token == 1) / (double)Draws, 0.01);
        Assert.Equal(third, choices.Count(token => token == 2) / (double)Draws, 0.01);
        Assert.DoesNotContain(3, choices);
    }

    private static int[] Choices(double temperature, int seed, int count)
    {
        Sampler sampler = new(temperature, seed);
        return [.. Enumerable.Range(0, count).Select(_ => sampler.Choose(_logits))];
    }
}
