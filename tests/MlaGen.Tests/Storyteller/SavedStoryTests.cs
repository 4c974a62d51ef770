using MlaGen.Tests.Files;
using Storyteller;
using Storyteller.Model;
using static MlaGen.Tests.Storyteller.StoryProgram;

namespace MlaGen.Tests.Storyteller;

/// <summary>Stories that stop, and go on from a file.</summary>
public sealed class SavedStoryTests : IDisposable
{
    // Its 88 tokens and those told fill one page and begin another.
    private static readonly string _prompt = StoryData.Golden[0].Prompt;

    private readonly TemporaryDirectory _directory = new();

    private string Saved => Path.Combine(_directory.Path, "saved");

    [Theory]
    [InlineData("0", "Float32")]
    [InlineData("0", "Int8")]
    [InlineData("1.2", "Float32")]
    [InlineData("1.2", "Float8")]
    public void A_resumed_story_goes_on_as_if_it_had_never_stopped(string temperature, string cache)
    {
        string whole = Path.Combine(_directory.Path, "whole");
        string[] prompt = ["--ignore-end", "--cache", cache, "--prompt", _prompt, "--temperature", temperature, "--seed", "3"];
        string[] resume = ["--ignore-end", "--cache", cache, "--resume", Saved, "--save", Saved];
        string expected = Tell([.. prompt, "--max-tokens", "120", "--save", whole]);

        string told = Tell([.. prompt, "--max-tokens", "50", "--save", Saved, "--threads", "1"])
            + Tell([.. resume, "--max-tokens", "1", "--threads", "2"])
            + Tell([.. resume, "--max-tokens", "69", "--threads", "3"]);

        Assert.Equal(expected, told);
        Assert.Equal(File.ReadAllBytes(whole), File.ReadAllBytes(Saved));
    }

    [Fact]
    public void What_is_saved_does_not_depend_on_how_the_prompt_was_cut()
    {
        string cut = Path.Combine(_directory.Path, "cut");

        Tell("--prompt", _prompt, "--max-tokens", "1", "--save", Saved);
        Tell("--prompt", _prompt, "--max-tokens", "1", "--save", cut, "--chunk", "7");

        Assert.Equal(File.ReadAllBytes(Saved), File.ReadAllBytes(cut));
    }

    [Fact]
    public void Stories_saved_together_go_on_together()
    {
        string[] prompts = ["--prompt", "Kai walked to the tower.", "--prompt", "Kai walked to the harbor.", "--prompt", "The owl"];
        IEnumerable<string> expected = TellSeveral([.. prompts, "--max-tokens", "40"]).Select(static story => story.Text);

        IEnumerable<string> first = TellSeveral([.. prompts, "--max-tokens", "15", "--save", Saved]).Select(static story => story.Text);
        IEnumerable<string> rest = TellSeveral("--resume", Saved, "--max-tokens", "25").Select(static story => story.Text);

        Assert.Equal(expected, first.Zip(rest, string.Concat));
    }

    [Fact]
    public void A_story_that_has_ended_stays_so_unless_it_is_to_go_past_its_end()
    {
        StoryData.GoldenStory golden = StoryData.Golden[2];
        string expected = golden.GreedyText.Split("<|end|>")[0];

        Assert.Equal(expected, Tell("--prompt", golden.Prompt, "--save", Saved));
        Assert.Empty(Tell("--resume", Saved));
        Assert.NotEmpty(Tell("--resume", Saved, "--ignore-end"));
    }

    [Fact]
    public void A_story_at_the_end_of_the_context_has_nothing_more_to_tell()
    {
        string prompt = string.Concat(Enumerable.Repeat(" the", 1022));

        Tell("--ignore-end", "--prompt", prompt, "--save", Saved);

        Assert.Empty(Tell("--ignore-end", "--resume", Saved));
    }

    [Fact]
    public void A_character_that_the_pause_falls_into_is_told_by_whoever_goes_on()
    {
        // Hot enough that the bytes of tokens seldom make characters of their own.
        string[] prompt = ["--ignore-end", "--prompt", "🦊", "--temperature", "90"];
        string expected = Tell([.. prompt, "--max-tokens", "60"]);
        Assert.Contains('\ufffd', expected);

        string told = Tell([.. prompt, "--max-tokens", "1", "--save", Saved]);
        for (int i = 1; i < 59; i++)
        {
            told += Tell("--ignore-end", "--resume", Saved, "--save", Saved, "--max-tokens", "1");
        }

        Assert.Equal(expected, told + Tell("--ignore-end", "--resume", Saved, "--max-tokens", "1"));
    }

    [Fact]
    public void Another_temperature_may_be_chosen_to_go_on_with()
    {
        string[] prompt = ["--ignore-end", "--prompt", _prompt, "--max-tokens"];
        string expected = Tell([.. prompt, "40"]);

        string told = Tell([.. prompt, "20", "--save", Saved]);

        Assert.Equal(expected, told + Tell("--ignore-end", "--resume", Saved, "--max-tokens", "20"));
        Assert.NotEqual(expected, told + Tell("--ignore-end", "--resume", Saved, "--max-tokens", "20", "--temperature", "2"));
    }

    [Theory]
    [InlineData("Float32", "Int8")]
    [InlineData("BFloat16", "Float32")]
    [InlineData("Float16", "Float8")]
    [InlineData("Float8", "BFloat16")]
    [InlineData("Int8", "Float16")]
    public void A_file_of_another_cache_format_is_refused_with_the_option_that_it_needs(string format, string given)
    {
        Tell("--prompt", _prompt, "--max-tokens", "1", "--save", Saved, "--cache", format);

        AssertFails($"{Saved} was saved with --cache {format}: pass that, not {given}", "--resume", Saved, "--cache", given);
        Assert.NotEmpty(Tell("--resume", Saved, "--cache", format));
    }

    [Fact]
    public void A_file_of_another_model_is_refused()
    {
        Save();
        using TemporaryDirectory model = StoryData.CopyOfModel();
        string weights = Path.Combine(model.Path, "model.safetensors");
        byte[] bytes = File.ReadAllBytes(weights);
        bytes[^1] ^= 1;
        File.WriteAllBytes(weights, bytes);

        AssertFails($"{Saved}: saved with another model than {model.Path}", "--resume", Saved, "--model", model.Path);
    }

    [Fact]
    public void The_same_model_elsewhere_is_the_same_model()
    {
        Save();
        using TemporaryDirectory model = StoryData.CopyOfModel();

        Assert.NotEmpty(Tell("--resume", Saved, "--model", model.Path));
    }

    [Theory]
    [InlineData(0, "begin with \"MlaCache\"")]
    [InlineData(60, "checksum of the header")]
    [InlineData(240, "checksum of the index")]
    [InlineData(10_000, "checksum of the page 0")]
    public void A_damaged_file_is_refused(int position, string problem)
    {
        Save();
        byte[] bytes = File.ReadAllBytes(Saved);
        bytes[position] ^= 0x10;
        File.WriteAllBytes(Saved, bytes);

        AssertFails(problem, "--resume", Saved);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(100)]
    [InlineData(5_000)]
    public void A_truncated_file_is_refused(int length)
    {
        Save();
        File.WriteAllBytes(Saved, File.ReadAllBytes(Saved)[..length]);

        AssertFails(Saved, "--resume", Saved);
    }

    // What the file says beside the sequence: version, fingerprint (2), temperature (2), seed, draws, tokens.
    [Theory]
    [InlineData(0, 2, "the cache of something else")]
    [InlineData(1, 1, "saved with another model")]
    [InlineData(2, 1, "saved with another model")]
    [InlineData(4, -1, "a temperature from 0 to 100 is expected, NaN found")]
    [InlineData(4, 0x40a00000, "a temperature from 0 to 100 is expected, 2048 found")]
    [InlineData(4, -0x40100000, "a temperature from 0 to 100 is expected, -1 found")]
    [InlineData(6, -1, "-1 random numbers cannot have chosen")]
    [InlineData(6, int.MaxValue, "2147483647 random numbers cannot have chosen")]
    [InlineData(7, -1, "token -1 is not one of the vocabulary's 495")]
    [InlineData(8, 495, "token 495 is not one of the vocabulary's 495")]
    public void A_file_with_an_impossible_number_is_refused(int index, int value, string problem)
    {
        Save();
        Rewrite(numbers =>
        {
            numbers[index] = value;
            return numbers;
        });

        AssertFails(problem, "--resume", Saved);
    }

    [Theory]
    [InlineData(0, "the cache of something else")]
    [InlineData(7, "the cache of something else")]
    [InlineData(8, "89 tokens expected beside 88 in the cache, 1 found")]
    [InlineData(95, "89 tokens expected beside 88 in the cache, 88 found")]
    public void A_file_with_too_few_numbers_is_refused(int count, string problem)
    {
        Save();
        Rewrite(numbers => numbers[..count]);

        AssertFails(problem, "--resume", Saved);
    }

    [Fact]
    public void A_file_with_too_many_numbers_is_refused()
    {
        Save();
        Rewrite(numbers => [.. numbers, 0]);

        AssertFails("89 tokens expected beside 88 in the cache, 90 found", "--resume", Saved);
    }

    [Theory]
    [InlineData(0, "1 to 256 stories are expected, 0 found")]
    [InlineData(257, "1 to 256 stories are expected, 257 found")]
    public void A_file_of_no_story_or_of_too_many_is_refused(int count, string problem)
    {
        Save();
        using LatentCache<StoryAttention> cache = CreateCache();
        using LatentSequence sequence = Assert.Single(cache.Load(Saved)).Sequence;
        cache.Save(Saved, [.. Enumerable.Range(0, count).Select(_ => new SavedSequence(sequence.Fork()))]);

        AssertFails(problem, "--resume", Saved);
    }

    [Fact]
    public void A_file_whose_tokens_have_other_positions_is_refused()
    {
        Save();
        using LatentCache<StoryAttention> cache = CreateCache();
        SavedSequence saved = Assert.Single(cache.Load(Saved));
        saved.Sequence.Truncate(87);
        using (MlaBatch<StoryAttention> batch = cache.CreateBatch())
        {
            batch.Add(saved.Sequence, 1, positions: [1000]);
            StoryData.Loaded.Model.Forward(batch, [0], [], []);
            batch.Commit();
        }

        cache.Save(Saved, saved);

        AssertFails("88 tokens in the cache, and the last at position 1000", "--resume", Saved);
    }

    public void Dispose() => _directory.Dispose();

    private static LatentCache<StoryAttention> CreateCache() => StoryAttention.CreateCache(StoryData.Loaded.Model.Config.AttentionLayers, StoryAttention.MaxPositionEmbeddings);

    private void Save() => Tell("--prompt", _prompt, "--max-tokens", "1", "--save", Saved);

    /// <summary>Changes what the file says beside its sequence, checksums included.</summary>
    private void Rewrite(Func<int[], int[]> change)
    {
        using LatentCache<StoryAttention> cache = CreateCache();
        SavedSequence saved = Assert.Single(cache.Load(Saved));
        cache.Save(Saved, saved with { Tokens = change(saved.Tokens.ToArray()) });
    }
}
