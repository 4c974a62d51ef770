using System.Numerics.Tensors;
using System.Runtime.CompilerServices;

namespace MlaGen.Runtime;

/// <summary>
/// Which keys of a tile some queries attend to: of each panel of queries a word a key, whose bit i says whether query i of the panel does, for those keys
/// that any query attends to. Tiles are taken one after the other, and lie where they do without a selection: where a sum is rescaled depends on nothing else.
/// </summary>
/// <param name="keyTile">Keys of a tile at most.</param>
/// <param name="panel">Queries of a panel, up to 32.</param>
internal sealed class TileSelection(int keyTile, int panel)
{
    private readonly int[] _tokens = new int[keyTile];
    private readonly uint[] _any = new uint[keyTile];
    private uint[] _seen = [];
    private int[] _next = [];
    private TokenSelection _selection = null!;
    private int _firstRow;
    private int _queries;

    /// <summary>How many of the tile's keys any query attends to.</summary>
    public int Count { get; private set; }

    /// <summary>Whether they are all of the tile's.</summary>
    public bool IsWhole { get; private set; }

    /// <summary>Takes the memory for so many queries.</summary>
    public void Reserve(int queries)
    {
        if (_next.Length < queries)
        {
            _next = new int[queries];
            _seen = new uint[(long)Panels(queries) * keyTile];
        }
    }

    /// <summary>Goes back before the first tile.</summary>
    /// <param name="selection">What the queries attend to.</param>
    /// <param name="firstRow">The first query's row in the batch.</param>
    /// <param name="queries">How many there are.</param>
    public void Begin(TokenSelection selection, int firstRow, int queries)
    {
        Reserve(queries);
        _selection = selection;
        _firstRow = firstRow;
        _queries = queries;
        _next.AsSpan(0, queries).Clear();
    }

    /// <summary>Goes on to a tile, behind the one before.</summary>
    /// <param name="first">Its first token.</param>
    /// <param name="count">Its tokens.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Take(int first, int count)
    {
        int panels = Panels(_queries);
        Span<uint> any = _any.AsSpan(0, count);
        any.Clear();
        for (int i = 0; i < panels; i++)
        {
            Span<uint> seen = _seen.AsSpan(i * keyTile, count);
            seen.Clear();
            for (int query = i * panel; query < Math.Min(_queries, (i + 1) * panel); query++)
            {
                ReadOnlySpan<int> tokens = _selection.Tokens(_firstRow + query);
                int next = _next[query];
                for (; next < tokens.Length && tokens[next] - first < count; next++)
                {
                    seen[tokens[next] - first] |= 1u << (query - (i * panel));
                }

                _next[query] = next;
            }

            TensorPrimitives.BitwiseOr(any, seen, any);
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
        for (int i = 0; i < panels && !IsWhole; i++)
        {
            Span<uint> seen = _seen.AsSpan(i * keyTile, count);
            for (int key = 0; key < Count; key++)
            {
                seen[key] = seen[_tokens[key] - first];
            }
        }
    }

    /// <summary>The keys that any query attends to.</summary>
    public KeySource Keys(LatentSequence sequence) => KeySource.List(sequence, _tokens, 0, Count);

    /// <summary>For each of them, which queries of a panel do.</summary>
    public Span<uint> Seen(int panelIndex) => _seen.AsSpan(panelIndex * keyTile, Count);

    private int Panels(int queries) => (queries + panel - 1) / panel;
}
