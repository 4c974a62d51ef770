using System.Collections.Immutable;
using System.Text;

namespace MlaGen.Models;

/// <summary>Makes text of tokens as they come. A character whose bytes are spread over several tokens appears once it is complete, what may begin a stop text once it does not.</summary>
internal sealed class TextAssembler(ITextTokenizer tokenizer, ImmutableArray<string> stops)
{
    private readonly System.Text.Decoder _decoder = Encoding.UTF8.GetDecoder();
    private readonly StringBuilder _held = new();
    private char[] _characters = new char[64];

    /// <summary>Takes a token.</summary>
    /// <returns>The text that has become certain, and whether a stop text has come.</returns>
    public (string Text, bool Stopped) Add(int token) => Add(tokenizer.BytesOf(token), flush: false);

    /// <summary>Ends the text: what was held back is certain, bytes still waiting for the rest of their character become U+FFFD.</summary>
    public string Complete()
    {
        (string text, bool stopped) = Add([], flush: true);
        return stopped ? text : text + Take(_held.Length);
    }

    private (string Text, bool Stopped) Add(ReadOnlySpan<byte> bytes, bool flush)
    {
        int most = Encoding.UTF8.GetMaxCharCount(bytes.Length);
        if (most > _characters.Length)
        {
            _characters = new char[most];
        }

        _held.Append(_characters.AsSpan(0, _decoder.GetChars(bytes, _characters, flush)));
        string held = _held.ToString();
        int first = -1;
        foreach (string stop in stops)
        {
            int at = held.IndexOf(stop, StringComparison.Ordinal);
            first = at >= 0 && (first < 0 || at < first) ? at : first;
        }

        if (first >= 0)
        {
            string text = Take(first);
            _held.Clear();
            return (text, true);
        }

        return (Take(held.Length - Undecided(held)), false);
    }

    /// <summary>Characters at the end that a stop text may begin with.</summary>
    private int Undecided(string held)
    {
        int longest = 0;
        foreach (string stop in stops)
        {
            for (int length = Math.Min(stop.Length - 1, held.Length); length > longest; length--)
            {
                if (held.AsSpan(held.Length - length).SequenceEqual(stop.AsSpan(0, length)))
                {
                    longest = length;
                }
            }
        }

        return longest;
    }

    private string Take(int length)
    {
        string text = _held.ToString(0, length);
        _held.Remove(0, length);
        return text;
    }
}
