using System.Collections.Immutable;
using System.Text;

namespace MlaGen.Models;

/// <summary>The text of tokens as far as it is certain: what may begin a stop text is held back until it does not.</summary>
internal sealed class TextAssembler(ITextTokenizer tokenizer, ImmutableArray<string> stops)
{
    // What is generated goes on with a text: the space that some tokenizers put before a text's first word belongs to it.
    private readonly StreamingDecoder _decoder = new(tokenizer, skipSpecialTokens: true, spacesToStrip: 0);
    private readonly StringBuilder _held = new();

    /// <summary>Takes a token.</summary>
    /// <returns>The text that has become certain, and whether a stop text has come.</returns>
    public (string Text, bool Stopped) Add(int token) => Add(_decoder.Append(token));

    /// <summary>Ends the text: what was held back is certain, bytes still waiting for the rest of their character become U+FFFD.</summary>
    public string Complete()
    {
        (string text, bool stopped) = Add(_decoder.Complete());
        return stopped ? text : text + Take(_held.Length);
    }

    private (string Text, bool Stopped) Add(string decoded)
    {
        string held = _held.Append(decoded).ToString();
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
