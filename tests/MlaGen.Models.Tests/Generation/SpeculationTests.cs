using MlaGen.Models.Tests.Golden;

namespace MlaGen.Models.Tests.Generation;

/// <summary>Candidates change when a token comes, and never which.</summary>
public sealed class SpeculationTests
{
    [Theory]
    [InlineData("deepseek-v3")]
    [InlineData("deepseek-v3.2")]
    [InlineData("glm-5.2")]
    [InlineData("hy4")]
    [InlineData("longcat-flash")]
    [InlineData("minicpm3")]
    [InlineData("mistral-4")]
    public async Task Tokens_and_the_bits_of_their_probabilities_are_those_without(string name)
    {
        (int[] Prompt, GenerationOptions Options)[] requests = [.. Enumerable.Range(0, 10).Select(i => Request(name, i))];
        string[] alone = new string[requests.Length];
        using (TextGenerator plain = new(TinyModels.Load(name), options: Options()))
        {
            for (int i = 0; i < requests.Length; i++)
            {
                alone[i] = TextGeneratorTests.Told(await TextGeneratorTests.All(plain, requests[i].Prompt, requests[i].Options));
            }

            Assert.Equal((0, 0), plain.Drafts);
        }

        // One after the other, and at once with too little room for all.
        using TextGenerator drafting = new(TinyModels.Load(name), options: Options() with { DraftTokens = 9 });
        for (int i = 0; i < requests.Length; i++)
        {
            Assert.Equal(alone[i], TextGeneratorTests.Told(await TextGeneratorTests.All(drafting, requests[i].Prompt, requests[i].Options)));
        }

        (long proposed, long accepted) = drafting.Drafts;
        Assert.True(accepted > 0 && proposed > accepted, $"{accepted} of {proposed} candidates became text");
        using TextGenerator crowded = new(TinyModels.Load(name), options: Options() with { DraftTokens = 24, CacheTokens = 1024, MaxActive = 4 });
        List<GeneratedToken>[] among = await Task.WhenAll(requests.Select(request => Task.Run(() => TextGeneratorTests.All(crowded, request.Prompt, request.Options))));
        Assert.Equal(alone, among.Select(TextGeneratorTests.Told));
        Assert.True(crowded.Drafts.Accepted > 0);
        Assert.Equal(crowded.PrefixPages, crowded.UsedPages);
    }

    [Fact]
    public async Task A_text_that_ends_among_candidates_ends_there()
    {
        int[] prompt = [.. Enumerable.Repeat((int[])[5, 6, 7, 8], 8).SelectMany(static part => part)];
        GenerationOptions options = new() { MaxTokens = 60, StopTokens = [], Sampling = new SamplingOptions { Temperature = 0 } };
        using TextGenerator plain = new(TinyModels.Load("deepseek-v3"), options: Options());
        int[] whole = [.. (await TextGeneratorTests.All(plain, prompt, options)).Select(static token => token.Token)];
        using TextGenerator drafting = new(TinyModels.Load("deepseek-v3"), options: Options() with { DraftTokens = 16 });

        for (int most = 1; most <= whole.Length; most++)
        {
            List<GeneratedToken> told = await TextGeneratorTests.All(drafting, prompt, options with { MaxTokens = most });
            Assert.Equal(whole[..most], told.Select(static token => token.Token));
            Assert.Equal(FinishReason.Length, told[^1].Finish);
        }

        foreach (int stop in whole.Distinct())
        {
            List<GeneratedToken> told = await TextGeneratorTests.All(drafting, prompt, options with { StopTokens = [stop] });
            Assert.Equal(whole[..(Array.IndexOf(whole, stop) + 1)], told.Select(static token => token.Token));
        }

        Assert.True(drafting.Drafts.Accepted > 100, $"{drafting.Drafts}");
    }

    [Fact]
    public async Task Candidates_take_no_more_room_than_the_text()
    {
        int[] prompt = [.. Enumerable.Repeat((int[])[5, 6, 7, 8], 8).SelectMany(static part => part)];
        using TextGenerator drafting = new(TinyModels.Load("deepseek-v3"), options: Options() with { DraftTokens = 40, CacheTokens = 64, SharePrefixes = false });

        List<GeneratedToken> told = await TextGeneratorTests.All(drafting, prompt, new GenerationOptions { MaxTokens = 33, StopTokens = [], Sampling = new SamplingOptions { Temperature = 0 } });

        Assert.Equal((33, FinishReason.Length), (told.Count, told[^1].Finish));
        Assert.True(drafting.Drafts.Proposed > 0);
        Assert.Equal(0, drafting.UsedPages);
    }

    [Theory]
    [InlineData("1 2 3 4 1 2", 4, "2 3 4 1 2", "-1 0 1 2 3")]
    [InlineData("1 2 3 4 1 2", 2, "2 3 4", "-1 0 1")]
    [InlineData("1 2 3 9 1 2 4 9 1 2", 4, "2 4 3 9 9", "-1 0 0 1 2")]
    [InlineData("7 1 2 3 8 1 2 4 7 1 2", 3, "2 3 4 8", "-1 0 0 1")]
    [InlineData("1 2 3 9 1 2 3 8 1 2", 4, "2 3 8 9 1", "-1 0 1 1 2")]
    [InlineData("1 2 3 4", 4, "4", "-1")]
    [InlineData("1", 4, "1", "-1")]
    [InlineData("5 5 5 5", 4, "5 5 5", "-1 0 1")]
    [InlineData("1 2 3 4 1 2", 0, "2", "-1")]
    public void Candidates_are_what_followed_before(string text, int most, string tokens, string parents)
    {
        DraftTree tree = new();
        tree.Propose(Numbers(text), most);

        Assert.Equal(Numbers(tokens), tree.Tokens);
        Assert.Equal(Numbers(parents), tree.Parents);
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(5000)]
    public void A_number_of_candidates_that_cannot_be_is_refused(int count) =>
        Assert.Throws<ArgumentOutOfRangeException>("DraftTokens", () => new TextGenerator(TinyModels.Load("deepseek-v3"), options: Options() with { DraftTokens = count }));

    private static int[] Numbers(string text) => [.. text.Split(' ').Select(int.Parse)];

    private static TextGeneratorOptions Options() => new() { CacheTokens = 2048, Cache = new LatentCacheOptions { PageTokens = 16 }, PromptChunk = 32, PromptTokensPerStep = 40 };

    /// <summary>Prompts that repeat themselves, and all ways to choose.</summary>
    private static (int[] Prompt, GenerationOptions Options) Request(string name, int i)
    {
        int[] part = GoldenModel.Read(name).Prompt[i..(i + 5 + i)];
        return (i == 9 ? [3] : [.. part, .. part, .. part], new GenerationOptions
        {
            MaxTokens = 150 + i,
            StopTokens = [],
            LogProbs = 0,
            Sampling = new SamplingOptions { Seed = i, Temperature = i % 3 == 2 ? 0.6 : 0, TopK = i % 5 == 0 ? 20 : 0, TopP = i % 2 == 0 ? 0.9 : 1, RepetitionPenalty = i == 4 ? 1.2 : 1 },
        });
    }
}
