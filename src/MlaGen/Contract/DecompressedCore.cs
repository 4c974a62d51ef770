using System.ComponentModel;

namespace MlaGen.Runtime;

/// <summary>Attends queries of one head to decompressed keys and values, tile by tile: the decompressed form.</summary>
/// <param name="target">What it needs of the machine.</param>
/// <param name="operand">In which form it reads keys and values.</param>
/// <param name="layout">Sizes of the memory that it works on.</param>
[EditorBrowsable(EditorBrowsableState.Never)]
public abstract class DecompressedCore(CoreTarget target, RowOperand operand, DecompressedLayout layout) : AttentionCore(target, operand)
{
    /// <summary>Sizes of the memory that it works on.</summary>
    public DecompressedLayout Layout { get; } = layout;

    /// <summary>Attends to a tile of keys and values: updates the tile's sums and statistics.</summary>
    /// <param name="tile">What to work on.</param>
    public abstract void Attend(ref DecompressedTile tile);

    /// <summary>Whether there is room for the keys and values of a head.</summary>
    internal virtual bool HoldsTile(MlaShape shape) => Layout.KeyTile > 0 && Layout.KeyStride >= shape.QkHeadDim && Layout.ValueStride >= shape.VHeadDim;

    /// <summary>Floats of memory that the keys of a tile take.</summary>
    internal virtual int KeyLength => Layout.KeyTile * Layout.KeyStride;

    /// <summary>Floats of memory that the values of a tile take.</summary>
    internal virtual int ValueLength => Layout.KeyTile * Layout.ValueStride;

    /// <summary>Floats of scratch that the scores of a tile take, and what is formed beside them.</summary>
    internal virtual int ScoreLength => Layout.ScoreLength;

    /// <summary>Floats of memory that a packed query takes.</summary>
    internal virtual int QueryFloats(MlaShape shape) => shape.QkHeadDim;

    /// <summary>Floats of memory that the sums of a query take.</summary>
    internal virtual int SumFloats(MlaShape shape) => shape.VHeadDim;
}

/// <summary>What a decompressed core's plan decides about whoever calls it. Emitted once a core.</summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public sealed class DecompressedLayout
{
    /// <summary>Keys of a tile.</summary>
    public required int KeyTile { get; init; }

    /// <summary>Floats from a key's scores to the next's.</summary>
    public required int ScoreStride { get; init; }

    /// <summary>Floats from a key to the next: room for whole product tiles.</summary>
    public required int KeyStride { get; init; }

    /// <summary>Floats from a value to the next, or, where values are turned, from one of their elements to the next: room for whole product tiles.</summary>
    public required int ValueStride { get; init; }

    /// <summary>Most queries of a tile.</summary>
    public required int QueryTile { get; init; }

    /// <summary>Queries beside each other in a panel of packed queries.</summary>
    public required int QueryPanel { get; init; }

    /// <summary>Floats of scratch for the scores of a tile.</summary>
    internal int ScoreLength => KeyTile * ScoreStride;
}

/// <summary>A tile of keys and values of one head, the queries that see it, and what attention to it works on.</summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public ref struct DecompressedTile
{
    /// <summary>Keys, one after the other, in the core's operand.</summary>
    public ref byte Keys;

    /// <summary>Values, one after the other, in the core's operand.</summary>
    public ref byte Values;

    /// <summary>How many, at most <see cref="DecompressedLayout.KeyTile"/>.</summary>
    public int Tokens;

    /// <summary>Packed queries.</summary>
    public ref byte Queries;

    /// <summary>Queries, padding included: a multiple of <see cref="DecompressedLayout.QueryPanel"/>, at most <see cref="DecompressedLayout.QueryTile"/>.</summary>
    public int Columns;

    /// <summary>
    /// Of each key a word, whose bit i says whether the panel's query i attends to the key. Read where the tile is <see cref="Masked"/>.
    /// </summary>
    public ref uint Seen;

    /// <summary>Whether a query attends to fewer than all keys: the queries are then those of one panel.</summary>
    public bool Masked;

    /// <summary>Scratch for scores.</summary>
    public ref float Scores;

    /// <summary>Unnormalised sums of values, one a query; updated.</summary>
    public ref float Sums;

    /// <summary>Of each query the running maximum, then the sums under them, then the factors of the last rescaling; updated.</summary>
    public ref float Statistics;
}
