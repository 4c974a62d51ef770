using System.Numerics.Tensors;
using System.Runtime.CompilerServices;

namespace MlaGen.Runtime;

/// <summary>
/// Which keys of a tile some queries attend to: those that any of them does, and for each of these a word of each panel of queries. Tiles lie where they do
/// without a selection: where a sum is rescaled depends on nothing else.
/// </summary>
/// <param name="masks">What the queries attend to.</param>
/// <param name="keyTile">Keys of a tile at most.</param>
/// <param name="panel">Queries of a panel.</param>
internal sealed class TileSelection(SelectionMasks masks, int keyTile, int panel)
{
    private readonly int[] _tokens = new int[keyTile];
    private readonly uint[] _any = new uint[keyTile];
    private uint[] _seen = [];
    private long _start;
    private int _stride;
    private int _panels;
    private int _first;

    /// <summary>How many of the tile's keys any query attends to.</summary>
    public int Count { get; private set; }

    /// <summary>Whether they are all of the tile's.</summary>
    public bool IsWhole { get; private set; }

    /// <summary>Takes the memory for so many queries.</summary>
    public void Reserve(int queries)
    {
        long words = (long)Panels(queries) * keyTile;
        if (_seen.Length < words)
        {
            _seen = new uint[words];
        }
    }

    /// <summary>Takes some queries.</summary>
    /// <param name="start">Where the words of their first panel begin.</param>
    /// <param name="stride">Words from a panel to the next.</param>
    /// <param name="queries">How many there are.</param>
    public void Begin(long start, int stride, int queries)
    {
        Reserve(queries);
        _start = start;
        _stride = stride;
        _panels = Panels(queries);
    }

    /// <summary>Goes to a tile.</summary>
    /// <param name="first">Its first token.</param>
    /// <param name="count">Its tokens.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Take(int first, int count)
    {
        _first = first;
        Span<uint> any = _any.AsSpan(0, count);
        any.Clear();
        for (int i = 0; i < _panels; i++)
        {
            TensorPrimitives.BitwiseOr(any, Words(i, count), any);
        }

        Count = 0;
        for (int key = 0; key < count; key++)
        {
            if (any[key] != 0)
            {
                _tokens[Count++] = first + key;
            }
        }

        IsWhole = Count == count;
        for (int i = 0; i < _panels && !IsWhole; i++)
        {
            ReadOnlySpan<uint> words = Words(i, count);
            Span<uint> seen = _seen.AsSpan(i * keyTile, Count);
            for (int key = 0; key < seen.Length; key++)
            {
                seen[key] = words[_tokens[key] - first];
            }
        }
    }

    /// <summary>The keys that any query attends to.</summary>
    public KeySource Keys(LatentSequence sequence) => KeySource.List(sequence, _tokens, 0, Count);

    /// <summary>For each of them, which queries of a panel do.</summary>
    public Span<uint> Seen(int panelIndex) => IsWhole ? Words(panelIndex, Count) : _seen.AsSpan(panelIndex * keyTile, Count);

    private Span<uint> Words(int panelIndex, int count) => masks.Words(_start + ((long)panelIndex * _stride) + _first, count);

    private int Panels(int queries) => (queries + panel - 1) / panel;
}
