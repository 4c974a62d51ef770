using System.Runtime.CompilerServices;

namespace MlaGen.Runtime;

/// <summary>
/// Which cached rows a query reads, in the order in which it reads them: a run of a sequence's first tokens, and then tokens of a list. A range
/// is a run alone; a path through a tree is the committed tokens, then the path; a selection is a list alone.
/// </summary>
/// <remarks>
/// Blocks and parts count keys, not tokens: keys that lie elsewhere are cut as if they followed each other, so that every bit is that of the
/// same rows in a sequence of their own.
/// </remarks>
internal readonly struct KeySource
{
    private readonly int _run;
    private readonly int[] _listed;
    private readonly int _first;

    private KeySource(LatentSequence sequence, int run, int[] listed, int first, int count)
    {
        Sequence = sequence;
        _run = run;
        _listed = listed;
        _first = first;
        Count = run + count;
    }

    public LatentSequence Sequence { get; }

    /// <summary>Whether it is a list alone, whose tokens may lie anywhere.</summary>
    public bool IsList => _run == 0 && Count > 0;

    /// <summary>How many keys there are.</summary>
    public int Count { get; }

    /// <summary>The first tokens of a sequence.</summary>
    public static KeySource Range(LatentSequence sequence, int count) => new(sequence, count, [], 0, 0);

    /// <summary>The committed tokens of a sequence, then those of a path through a tree of new ones.</summary>
    /// <param name="sequence">The sequence.</param>
    /// <param name="committed">How many tokens are committed.</param>
    /// <param name="tokens">Holds the tokens of the path, counted in the sequence; is not changed any more.</param>
    /// <param name="first">Where they begin.</param>
    /// <param name="count">How many there are.</param>
    public static KeySource Path(LatentSequence sequence, int committed, int[] tokens, int first, int count) => new(sequence, committed, tokens, first, count);

    /// <summary>Chosen tokens of a sequence.</summary>
    /// <param name="sequence">The sequence.</param>
    /// <param name="tokens">Holds the tokens, counted in the sequence; is not changed any more.</param>
    /// <param name="first">Where they begin.</param>
    /// <param name="count">How many there are.</param>
    public static KeySource List(LatentSequence sequence, int[] tokens, int first, int count) => new(sequence, 0, tokens, first, count);

    /// <summary>How many of so many keys from one on lie one after the other, beginning at its token: at least one.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public int RunLength(int key, int count)
    {
        if (key < _run)
        {
            return Math.Min(count, _run - key);
        }

        ReadOnlySpan<int> tokens = _listed.AsSpan(_first + key - _run, count);
        int length = 1;
        while (length < count && tokens[length] == tokens[length - 1] + 1)
        {
            length++;
        }

        return length;
    }

    /// <summary>Whether most keys are the same as another source's: both are of one sequence, and neither is a list.</summary>
    public bool IsNear(in KeySource other) => ReferenceEquals(Sequence, other.Sequence) && _run > 0 && other._run > 0;

    /// <summary>Whether so many keys from one on are also those that another source of the sequence has there.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public bool StartsLike(in KeySource other, int key, int count)
    {
        int end = key + count;
        if (end > other.Count)
        {
            return false;
        }

        for (int i = Math.Max(key, Math.Min(_run, other._run)); i < end; i++)
        {
            if (Token(i) != other.Token(i))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>The token of a key.</summary>
    public int Token(int key) => key < _run ? key : _listed[_first + key - _run];
}
