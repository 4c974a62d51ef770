namespace MlaGen.Models;

/// <summary>The latents of the beginning of a text in a file. The cache keeps them there, and beside them the numbers below.</summary>
/// <remarks>
/// <code>
/// 0  version of these numbers
/// 1  fingerprint of the model, lower half first
/// 3  tokens, as many as the sequence has
/// </code>
/// </remarks>
internal static class PrefixFile
{
    private const int Version = 1;
    private const int FirstToken = 3;

    /// <summary>Writes what the cache knows of the beginning of a text.</summary>
    /// <returns>The tokens of it; 0 where nothing is known, and nothing is written.</returns>
    public static int Save(string path, ModelCache cache, long model, ReadOnlySpan<int> tokens)
    {
        if (!cache.Prefixes.TryStart(tokens, out LatentSequence? sequence))
        {
            return 0;
        }

        using (sequence)
        {
            cache.Save(path, new SavedSequence(sequence, (int[])[Version, (int)model, (int)(model >> 32), .. tokens[..sequence.Length]]));
            return sequence.Length;
        }
    }

    /// <summary>Makes what a file has of the beginning of a text known to the cache; everything in it is checked first.</summary>
    /// <returns>The tokens of it.</returns>
    /// <exception cref="CacheFileException">The file is damaged, or was saved with a cache of another kind.</exception>
    /// <exception cref="InvalidDataException">It was saved with another model, or is no such file.</exception>
    /// <exception cref="LatentCacheFullException">It holds more than the cache has room for.</exception>
    public static int Load(string path, ModelCache cache, long model, int vocabulary)
    {
        SavedSequence[] saved = cache.Load(path);
        try
        {
            Require(path, saved.Length == 1 && saved[0].Tokens.Length > FirstToken && saved[0].Tokens.Span[0] == Version, "the cache of something else than the beginning of a text");
            ReadOnlySpan<int> numbers = saved[0].Tokens.Span;
            long found = (uint)numbers[1] | ((long)numbers[2] << 32);
            Require(path, found == model, $"saved with another model: {found:x16} is not {model:x16}");
            ReadOnlySpan<int> tokens = numbers[FirstToken..];
            LatentSequence sequence = saved[0].Sequence;
            Require(path, tokens.Length == sequence.Length && sequence.NextPosition == sequence.Length, $"{Counted.Of(tokens.Length, "token")} beside {sequence.Length} in the cache, of which the last is at position {sequence.NextPosition - 1}");
            int wrong = tokens.IndexOfAnyExceptInRange(0, vocabulary - 1);
            Require(path, wrong < 0, $"token {tokens[Math.Max(wrong, 0)]} is not one of the vocabulary's {vocabulary}");
            cache.Prefixes.Register(sequence, tokens);
            return sequence.Length;
        }
        finally
        {
            foreach (SavedSequence sequence in saved)
            {
                sequence.Sequence.Dispose();
            }
        }
    }

    private static void Require(string path, bool holds, string problem)
    {
        if (!holds)
        {
            throw new InvalidDataException($"{path}: {problem}");
        }
    }
}
