using MlaGen;
using Samples;
using Storyteller.Model;
using Storyteller.Text;

namespace Storyteller;

/// <summary>A story as a file has it.</summary>
/// <param name="Sequence">The latents of all tokens but the last.</param>
/// <param name="Tokens">Prompt, and what was told.</param>
/// <param name="Temperature">What the next token was to be chosen by.</param>
/// <param name="Seed">Start of the random numbers.</param>
/// <param name="Draws">Random numbers drawn so far.</param>
internal sealed record SavedStory(LatentSequence Sequence, ReadOnlyMemory<int> Tokens, double Temperature, int Seed, int Draws);

/// <summary>Stories in a file, to be gone on with. The cache keeps their latents there, and beside each sequence the numbers below.</summary>
/// <remarks>
/// <code>
/// 0  version of these numbers
/// 1  fingerprint of the model, lower half first
/// 3  temperature, the bits of a double, lower half first
/// 5  seed
/// 6  random numbers drawn
/// 7  tokens, one more than the sequence has
/// </code>
/// </remarks>
internal static class StoryFile
{
    /// <summary>More stories than this are not gone on with at a time.</summary>
    public const int MostStories = 256;

    private const int Version = 1;
    private const int FirstToken = 7;

    public static void Save(string path, LatentCache<StoryAttention> cache, LoadedModel loaded, IEnumerable<Telling> stories)
    {
        long model = loaded.Model.Fingerprint();
        cache.Save(path, [.. stories.Select(story => new SavedSequence(story.Sequence, Numbers(story, model)))]);
    }

    /// <summary>Reads the stories of a file; everything in it is checked first.</summary>
    /// <exception cref="CacheFileException">The file is damaged, or was saved with a cache of another kind.</exception>
    /// <exception cref="LatentCacheFullException">It holds more than the cache has room for.</exception>
    /// <exception cref="InvalidDataException">It was saved with another model, or is none of this program's.</exception>
    public static SavedStory[] Load(string path, LatentCache<StoryAttention> cache, LoadedModel loaded)
    {
        SavedSequence[] sequences = Read(path, cache);
        Require(path, sequences.Length is > 0 and <= MostStories, $"1 to {MostStories} stories are expected, {sequences.Length} found");
        long model = loaded.Model.Fingerprint();
        return [.. sequences.Select(saved => Story(path, saved, model, loaded))];
    }

    private static SavedSequence[] Read(string path, LatentCache<StoryAttention> cache)
    {
        try
        {
            return cache.Load(path);
        }
        catch (CacheFileException) when (FormatOf(path, cache.Layers) is { } format)
        {
            throw new UserException($"{path} was saved with --cache {format}: pass that, not {cache.Layout.Format}");
        }
    }

    /// <summary>The format of a file's cache, if the file is otherwise in order.</summary>
    private static CacheFormat? FormatOf(string path, int layers)
    {
        foreach (CacheFormat format in Enum.GetValues<CacheFormat>())
        {
            using LatentCache<StoryAttention> cache = new(layers, (long)MostStories * StoryAttention.Shape.MaxPositionEmbeddings, new LatentCacheOptions { Format = format });
            try
            {
                foreach (SavedSequence saved in cache.Load(path))
                {
                    saved.Sequence.Dispose();
                }

                return format;
            }
            catch (Exception problem) when (problem is CacheFileException or LatentCacheFullException)
            {
                // Not this one.
            }
        }

        return null;
    }

    private static int[] Numbers(Telling story, long model)
    {
        long temperature = BitConverter.DoubleToInt64Bits(story.Sampler.Options.Temperature);
        return [Version, (int)model, (int)(model >> 32), (int)temperature, (int)(temperature >> 32), story.Sampler.Options.Seed, story.Sampler.Draws, .. story.Tokens];
    }

    private static SavedStory Story(string path, SavedSequence saved, long model, LoadedModel loaded)
    {
        ReadOnlySpan<int> numbers = saved.Tokens.Span;
        Require(path, numbers.Length > FirstToken && numbers[0] == Version, "the cache of something else than this program's stories");

        long found = Long(numbers[1..]);
        Require(path, found == model, $"saved with another model than {loaded.Directory}: {found:x16} is not {model:x16}");

        double temperature = BitConverter.Int64BitsToDouble(Long(numbers[3..]));
        Require(path, temperature is >= 0 and <= CommandLine.HighestTemperature, $"a temperature from 0 to {CommandLine.HighestTemperature} is expected, {temperature} found");

        ReadOnlyMemory<int> tokens = saved.Tokens[FirstToken..];
        int length = saved.Sequence.Length;
        Require(path, saved.Sequence.NextPosition == length, $"{Counted.Of(length, "token")} in the cache, and the last at position {saved.Sequence.NextPosition - 1}");
        Require(path, tokens.Length == length + 1, $"{Counted.Of(length + 1, "token")} expected beside {length} in the cache, {tokens.Length} found");
        foreach (int token in tokens.Span)
        {
            Require(path, (uint)token < (uint)loaded.Model.Config.VocabularySize, $"token {token} is not one of the vocabulary's {loaded.Model.Config.VocabularySize}");
        }

        // Every number drawn has chosen a token.
        int draws = numbers[6];
        Require(path, draws >= 0 && draws <= tokens.Length, $"{Counted.Of(draws, "random number")} cannot have chosen {Counted.Of(tokens.Length, "token")}");
        return new SavedStory(saved.Sequence, tokens, temperature, numbers[5], draws);
    }

    private static long Long(ReadOnlySpan<int> numbers) => (uint)numbers[0] | ((long)numbers[1] << 32);

    private static void Require(string path, bool holds, string problem)
    {
        if (!holds)
        {
            throw new InvalidDataException($"{path}: {problem}");
        }
    }
}
