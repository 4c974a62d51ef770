using MlaGen.Models;
using MlaGen.Tests.Files;
using Storyteller;
using Storyteller.Model;
using Storyteller.Text;
using static MlaGen.Tests.Storyteller.StoryProgram;

namespace MlaGen.Tests.Storyteller;

/// <summary>Several prompts, told as one batch.</summary>
public class SeveralStoriesTests
{
    // Two that share nearly all, one that is the beginning of another, one told twice, and one of its own that ends early.
    private static readonly string[] _prompts =
    [
        StoryData.Golden[0].Prompt,
        StoryData.Golden[0].Prompt + " the",
        StoryData.Golden[0].Prompt[..60],
        StoryData.Golden[2].Prompt,
        StoryData.Golden[2].Prompt,
        "",
    ];

    [Theory]
    [InlineData("1", "0", "Float32")]
    [InlineData("2", "0", "Float32")]
    [InlineData("1", "1.1", "Float32")]
    [InlineData("2", "1.1", "Float32")]
    [InlineData("2", "1.1", "Int8")]
    public void Each_of_several_stories_is_the_one_told_alone(string threads, string temperature, string cache)
    {
        string[] arguments = ["--max-tokens", "60", "--threads", threads, "--temperature", temperature, "--cache", cache];
        IEnumerable<string> alone = _prompts.Select(prompt => Tell([.. arguments, "--prompt", prompt]));

        (string Heading, string Text)[] together = TellSeveral([.. arguments, .. _prompts.SelectMany(prompt => new[] { "--prompt", prompt })]);

        Assert.Equal(alone, together.Select(static story => story.Text));
    }

    [Fact]
    public void Each_of_several_stories_says_which_it_is_and_how_it_began()
    {
        string[] prompts = ["Kai walked to the tower.", "", "two\nlines", new string('a', 40) + new string('b', 40)];
        using TemporaryDirectory directory = new();
        string saved = Path.Combine(directory.Path, "saved");

        IEnumerable<string> headings = TellSeveral(["--max-tokens", "2", "--save", saved, .. prompts.SelectMany(prompt => new[] { "--prompt", prompt })]).Select(static story => story.Heading);
        IEnumerable<string> resumed = TellSeveral("--max-tokens", "2", "--resume", saved).Select(static story => story.Heading);

        Assert.Equal(
            ["--- 1 of 4: \"Kai walked to the tower.\"", "--- 2 of 4: \"\"", "--- 3 of 4: \"two lines\"", $"--- 4 of 4: \"{new string('a', 28)} … {new string('b', 28)}\""],
            headings);
        Assert.StartsWith("--- 1 of 4: \"Kai walked to the tower. ", resumed.First(), StringComparison.Ordinal);
    }

    [Fact]
    public void One_story_says_nothing_of_itself() => Assert.DoesNotContain("---", Tell("--max-tokens", "5", "--prompt", "Kai"), StringComparison.Ordinal);

    [Fact]
    public void The_summary_says_how_many_tokens_were_shared()
    {
        (int exitCode, _, string error) = Run("--max-tokens", "2", "--prompt", StoryData.Golden[0].Prompt, "--prompt", StoryData.Golden[0].Prompt);

        Assert.Equal(0, exitCode);
        Assert.Contains("prompt: 176 tokens, 87 of them shared,", error, StringComparison.Ordinal);
        Assert.Contains("decode: 2 tokens,", error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_text_that_begins_like_another_shares_its_pages_and_is_scored_to_the_same_bits()
    {
        int[] first = [.. Enumerable.Range(1, 400)];
        int[] second = [.. first[..350], .. first[..20]];
        using MlaExecutor executor = new(2);
        using StorySession session = new(StoryData.Loaded.Model, executor, texts: 3, CacheFormat.Float32, MlaPrecision.Highest, chunk: 0) { Form = MlaForm.Absorbed };
        Telling told = Feed(session, first, []);
        int pages = session.Cache.UsedPages;

        LatentSequence shared = session.Start(second, [told]);
        Assert.Equal(350, shared.Length);
        float[] scores = session.Feed(shared, second.AsSpan(350)).ToArray();

        // Whole pages are shared, and the one that the texts part in is copied.
        Assert.Equal(350 / session.Cache.PageTokens, session.Cache.SharedPages);
        Assert.Equal(pages + 1, session.Cache.UsedPages);
        Assert.Equal(session.Feed(session.Cache.CreateSequence(), second), scores);
    }

    [Fact]
    public void A_text_starts_from_the_one_it_has_most_in_common_with_and_keeps_its_last_token_to_be_fed()
    {
        using MlaExecutor executor = new(1);
        using StorySession session = new(StoryData.Loaded.Model, executor, texts: 5, CacheFormat.Float32, MlaPrecision.Highest, chunk: 0) { Form = MlaForm.Absorbed };
        Telling[] told = [Feed(session, [1, 2, 3], []), Feed(session, [1, 2, 3, 4, 5], []), Feed(session, [1, 2], [])];

        Assert.Equal(5, session.Start([1, 2, 3, 4, 5, 6], told).Length);
        Assert.Equal(4, session.Start([1, 2, 3, 4, 5], told).Length);
        Assert.Equal(1, session.Start([1, 7], told).Length);
        Assert.Equal(0, session.Start([7, 1], told).Length);
        Assert.Equal(0, session.Start([1], told).Length);
    }

    private static Telling Feed(StorySession session, int[] tokens, IReadOnlyList<Telling> others)
    {
        LatentSequence sequence = session.Start(tokens, others);
        Telling telling = new(sequence, tokens, new Sampler(new SamplingOptions { Temperature = 0 }), new TextStream(StoryData.Loaded.Tokenizer, TextWriter.Null), remaining: 1, endToken: null);
        telling.Continue(session.Feed(sequence, tokens));
        return telling;
    }
}
