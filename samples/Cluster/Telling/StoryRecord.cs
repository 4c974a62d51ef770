using System.Text.Json;
using Cluster.Segments;
using Samples;

namespace Cluster.Telling;

/// <summary>What going on with stories takes, beside the segments: their text, in a file in the storage.</summary>
/// <param name="Stories">Name of the group of stories.</param>
/// <param name="Model">Fingerprint of the model.</param>
/// <param name="Segments">What its segments have in common.</param>
/// <param name="Texts">The stories.</param>
internal sealed record StoryRecord(string Stories, long Model, SegmentOptions Segments, StoryText[] Texts)
{
    private const string Name = "stories.json";

    /// <summary>Writes the file beside its place and renames it: whatever happens, there is the old one or the new one.</summary>
    public void Save(string directory)
    {
        string path = Path.Combine(directory, Name);
        string fresh = path + ".new";
        File.WriteAllBytes(fresh, JsonSerializer.SerializeToUtf8Bytes(this));
        File.Move(fresh, path, overwrite: true);
    }

    /// <exception cref="UserException">There is none, or it is damaged.</exception>
    public static StoryRecord Load(string directory)
    {
        string path = Path.Combine(directory, Name);
        try
        {
            StoryRecord record = JsonSerializer.Deserialize<StoryRecord>(File.ReadAllBytes(path))
                ?? throw new JsonException("it is empty");
            return record is { Stories: not null, Segments: { Tokens: > 0, Stories: > 0 } segments, Texts: { } texts } && texts.Length == segments.Stories && texts.All(static text => text.Tokens is { Length: > 0 })
                ? record with { Segments = segments with { Directory = directory } }
                : throw new JsonException("a part of it is missing");
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException or JsonException)
        {
            throw new UserException($"{path} holds no stories to go on with: {problem.Message}");
        }
    }
}

/// <summary>A story as its record has it.</summary>
/// <param name="Tokens">Prompt, and what was told.</param>
/// <param name="Temperature">What the next token is chosen by.</param>
/// <param name="Seed">Start of the random numbers.</param>
/// <param name="Draws">Random numbers drawn so far.</param>
/// <param name="Remaining">Tokens that were still to be told.</param>
internal sealed record StoryText(int[] Tokens, double Temperature, int Seed, int Draws, int Remaining);
