using Microsoft.Extensions.AI;
using MlaGen;
using MlaGen.Models;
using Samples;

namespace Chat.Terminal;

/// <summary>
/// The latents of a conversation in a cache file beside its text, so that going on with it costs no time. They are found by the tokens they stand for: without them, or
/// with those of another conversation, the same is said, and only computed anew.
/// </summary>
/// <param name="client">What answers; one that has no generator has no latents.</param>
internal sealed class SavedLatents(IChatClient client)
{
    private const string Ending = ".latents";

    private readonly TextGenerator? _generator = client.GetService<TextGenerator>();
    private readonly IChatTemplate? _template = client.GetService<IChatTemplate>();

    /// <summary>Keeps what the cache knows of a conversation, which is what was computed to answer it last.</summary>
    /// <returns>What was kept, to be told behind the name of the file.</returns>
    public string Save(string path, IReadOnlyList<ChatMessage> messages)
    {
        int asked = messages.Count;
        while (asked > 0 && messages[asked - 1].Role != ChatRole.User)
        {
            asked--;
        }

        if (_generator?.Tokenizer is null || _template is null || asked == 0)
        {
            return "";
        }

        int kept = _generator.SavePrefix(path + Ending, [.. _generator.Tokenizer.Encode(_template.Render([.. messages.Take(asked)]))]);
        return kept > 0 ? $", the latents of {Counted.Of(kept, "token")} in {path}{Ending}" : "";
    }

    /// <summary>Takes the latents beside a conversation, if there are any.</summary>
    /// <returns>What was taken, or why they are of no use.</returns>
    public (string? Done, string? Problem) Load(string path)
    {
        if (_generator is null || !File.Exists(path + Ending))
        {
            return (null, null);
        }

        try
        {
            return ($"The latents of {Counted.Of(_generator.LoadPrefix(path + Ending), "token")} are known.", null);
        }
        catch (Exception problem) when (problem is CacheFileException or InvalidDataException or LatentCacheFullException or IOException or UnauthorizedAccessException)
        {
            return (null, $"What was said is computed anew: {problem.Message}");
        }
    }
}
