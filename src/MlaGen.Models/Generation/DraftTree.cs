using System.Runtime.InteropServices;

namespace MlaGen.Models;

/// <summary>What a step computes of a text that is being generated: its last token, and candidates for those after it, of which each continues another.</summary>
internal sealed class DraftTree
{
    /// <summary>Stands for no token.</summary>
    public const int None = -1;

    // Places whose continuations are proposed, and tokens that a place has in common with the text's end.
    private const int MostPlaces = 3;
    private const int LongestMatch = 3;
    private const int ShortestMatch = 2;

    private readonly List<int> _tokens = [];
    private readonly List<int> _parents = [];

    /// <summary>The text's last token, then the candidates.</summary>
    public ReadOnlySpan<int> Tokens => CollectionsMarshal.AsSpan(_tokens);

    /// <summary>Which of <see cref="Tokens"/> each continues; <see cref="None"/> for the text's last one.</summary>
    public ReadOnlySpan<int> Parents => CollectionsMarshal.AsSpan(_parents);

    /// <summary>Begins anew, without candidates.</summary>
    public void Begin(int lastToken)
    {
        _tokens.Clear();
        _parents.Clear();
        Add(None, lastToken);
    }

    /// <summary>
    /// Begins anew, and proposes that the text goes on as it did before, where its last tokens stood (prompt lookup decoding): after the longest
    /// match first, of equal ones after the last.
    /// </summary>
    /// <param name="text">The text.</param>
    /// <param name="most">Candidates at most.</param>
    public void Propose(ReadOnlySpan<int> text, int most)
    {
        Begin(text[^1]);
        Span<int> places = stackalloc int[MostPlaces];
        places = most > 0 ? places[..Find(text, places)] : [];

        // All continuations grow alike. Where they agree they are one, and it grows long.
        Span<int> ends = stackalloc int[MostPlaces];
        ends.Clear();
        for (bool grows = true; grows;)
        {
            grows = false;
            for (int i = 0; i < places.Length && _tokens.Count <= most; i++)
            {
                if (places[i] < text.Length)
                {
                    int token = text[places[i]++];
                    ends[i] = Child(ends[i], token) is var known and not None ? known : Add(ends[i], token);
                    grows = true;
                }
            }
        }
    }

    /// <summary>The candidate that continues another with a token, or <see cref="None"/>.</summary>
    public int Child(int parent, int token)
    {
        for (int i = parent + 1; i < _tokens.Count; i++)
        {
            if (_parents[i] == parent && _tokens[i] == token)
            {
                return i;
            }
        }

        return None;
    }

    /// <summary>Finds the places behind earlier occurrences of the text's last tokens.</summary>
    /// <returns>How many there are.</returns>
    private static int Find(ReadOnlySpan<int> text, Span<int> places)
    {
        int found = 0;
        for (int length = Math.Min(LongestMatch, text.Length - 1); length >= ShortestMatch; length--)
        {
            ReadOnlySpan<int> end = text[^length..];
            ReadOnlySpan<int> before = text[..^1];
            while (found < places.Length && before.LastIndexOf(end) is var at and >= 0)
            {
                if (!places[..found].Contains(at + length))
                {
                    places[found++] = at + length;
                }

                before = before[..(at + length - 1)];
            }
        }

        return found;
    }

    private int Add(int parent, int token)
    {
        _tokens.Add(token);
        _parents.Add(parent);
        return _tokens.Count - 1;
    }
}
