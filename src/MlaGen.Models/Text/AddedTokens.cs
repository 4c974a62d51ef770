using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;

namespace MlaGen.Models;

/// <summary>A token that is recognised as it stands in a text, before anything is split or merged.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Content">Its text.</param>
/// <param name="IsSpecial">Whether decoding leaves it out.</param>
/// <param name="IsNormalized">Whether it is looked for in the normalised text.</param>
/// <param name="SingleWord">Whether it counts only where no word's character is beside it.</param>
/// <param name="StripsLeft">Whether it takes the white space before it.</param>
/// <param name="StripsRight">Whether it takes the white space behind it.</param>
internal sealed record AddedToken(int Id, string Content, bool IsSpecial, bool IsNormalized, bool SingleWord, bool StripsLeft, bool StripsRight)
{
    public static AddedToken Read(JsonElement token) => Read(token.GetProperty("id").GetInt32(), token);

    public static AddedToken Read(int id, JsonElement token) => new(
        id,
        token.Text("content"),
        token.Flag("special"),
        token.Flag("normalized"),
        token.Flag("single_word"),
        token.Flag("lstrip"),
        token.Flag("rstrip"));
}

/// <summary>Finds added tokens in a text: the first one, of several at one place the longest.</summary>
internal sealed class AddedTokens
{
    private readonly Dictionary<string, AddedToken> _byContent = [];
    private readonly Dictionary<string, AddedToken>.AlternateLookup<ReadOnlySpan<char>> _bySpan;
    private readonly SearchValues<string> _contents;
    private readonly int[] _lengths;

    /// <param name="tokens">The tokens, each with the text that it is looked for as.</param>
    public AddedTokens(IEnumerable<(string Content, AddedToken Token)> tokens)
    {
        foreach ((string content, AddedToken token) in tokens.Where(token => token.Content.Length > 0))
        {
            _byContent[content] = token;
        }

        _bySpan = _byContent.GetAlternateLookup<ReadOnlySpan<char>>();
        _contents = SearchValues.Create([.. _byContent.Keys], StringComparison.Ordinal);
        _lengths = [.. _byContent.Keys.Select(content => content.Length).Distinct().OrderDescending()];
    }

    /// <summary>Cuts a text at its added tokens.</summary>
    /// <returns>Parts that are not empty, from left to right; a part with a token stands for that token.</returns>
    public IEnumerable<(Range Part, AddedToken? Token)> Split(string text)
    {
        int written = 0;
        for (int next = 0; Find(text, ref next, out int start) is { } token;)
        {
            int end = next;
            if (token.SingleWord && (IsWordAt(text, start - 1) || IsWordAt(text, end)))
            {
                continue;
            }

            while (token.StripsLeft && start > written && char.IsWhiteSpace(text[start - 1]))
            {
                start--;
            }

            while (token.StripsRight && end < text.Length && char.IsWhiteSpace(text[end]))
            {
                end++;
            }

            // White space that a token has taken is none of the next one's.
            next = end;
            if (written < start)
            {
                yield return (written..start, null);
            }

            yield return (start..end, token);
            written = end;
        }

        if (written < text.Length)
        {
            yield return (written..text.Length, null);
        }
    }

    /// <summary>The first token from a place on, and the place behind it.</summary>
    private AddedToken? Find(string text, ref int next, out int start)
    {
        int found = text.AsSpan(next).IndexOfAny(_contents);
        start = next + found;
        if (found < 0)
        {
            return null;
        }

        foreach (int length in _lengths)
        {
            if (start + length <= text.Length && _bySpan.TryGetValue(text.AsSpan(start, length), out AddedToken? token))
            {
                next = start + length;
                return token;
            }
        }

        throw new InvalidOperationException("a token was found that is none");
    }

    private static bool IsWordAt(string text, int index)
    {
        if (index < 0 || index >= text.Length)
        {
            return false;
        }

        // Either half of a pair stands for the character.
        int first = char.IsLowSurrogate(text[index]) && index > 0 ? index - 1 : index;
        return Rune.TryGetRuneAt(text, first, out Rune rune)
            && (Rune.IsLetterOrDigit(rune) || Rune.GetUnicodeCategory(rune) is UnicodeCategory.ConnectorPunctuation or UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark or UnicodeCategory.EnclosingMark);
    }
}
