using System.Buffers.Binary;
using System.Globalization;
using System.IO.Hashing;
using System.Text;
using MlaGen.Runtime;

namespace MlaGen;

/// <summary>
/// Layout of a file of saved sequences. Numbers are little-endian, so are the rows' elements; every byte is covered by a checksum.
/// </summary>
/// <remarks>
/// <code>
/// header  8  "MlaCache"
///         8  version
///         8  each of <see cref="Facts"/>: what must be the same in the cache that reads the file
///         8  pages
///         8  sequences
///         8  bytes of the index
///         8  checksum of the header up to here
/// index   8  checksum of each page
///         4  for each sequence: tokens
///         4                     numbers saved beside it
///         4                     position of each token
///         4                     page, counted from 0 in this file, of each run of tokens
///         4                     the numbers themselves
///            zeros, so that the pages begin at a multiple of 64
///         8  checksum of the index up to here
/// pages      [layer][token][row] each, in whole; of a class with a sparse indexer [layer], then [token][latent, rotary key], then
///            [token][index key]; zeros beyond the longest sequence's tokens
/// </code>
/// Files of <see cref="FirstVersion"/> are read as well: they have the facts of <see cref="FactsOfFirstVersion"/>.
/// The checksum is CRC-64: one that certainly notices any damage to 64 neighbouring bits.
/// </remarks>
internal static class CacheFileFormat
{
    public const int Word = sizeof(long);
    public const long Version = 2;

    /// <summary>The version that 0.1 of the package wrote: it says nothing of segments.</summary>
    public const long FirstVersion = 1;

    /// <summary>Segments that a row can have: more are damage.</summary>
    public const int MostSegments = 16;

    public const int FactsOfSegment = 4;

    private const int PageAlignment = 64;

    /// <summary>Header and index are read and written in one piece.</summary>
    public static int MostStartBytes => Array.MaxLength;

    public static ReadOnlySpan<byte> Magic => "MlaCache"u8;

    /// <summary>Bytes of a header with so many facts.</summary>
    public static int HeaderBytes(int facts) => (facts + 6) * Word;

    /// <summary>Bytes of an index whose content takes so many, padding and checksum included.</summary>
    public static long IndexBytes(int headerBytes, long contentBytes)
    {
        long end = headerBytes + contentBytes + Word;
        return contentBytes + Word + ((PageAlignment - (end % PageAlignment)) % PageAlignment);
    }

    /// <summary>Bytes of the index that describe a sequence.</summary>
    public static long SequenceBytes(long length, long pages, long tokens) => sizeof(int) * (2 + length + pages + tokens);

    public static ulong Checksum(ReadOnlySpan<byte> bytes) => Crc64.HashToUInt64(bytes);

    /// <summary>What rows depend on, apart from the weights, and how they lie in pages. The number of segments comes first: how many facts there are depends on it.</summary>
    public static Fact[] Facts(PagePool pool, MlaDefinition definition) =>
    [
        new("segments of a cache row", pool.Layout.Segments.Count),
        .. FactsOfFirstVersion(pool, definition),
        .. pool.Layout.Segments.SelectMany(static (segment, i) => (Fact[])
        [
            new($"name of segment {i}", NameNumber(segment.Name), NameOf),
            new($"elements of segment {i}", segment.Elements),
            new($"encoding of segment {i}", (long)segment.Encoding, static value => ((CacheFormat)value).ToString()),
            new($"bytes of segment {i}", segment.Bytes),
        ]),
    ];

    /// <summary>The facts of a file that 0.1 of the package wrote.</summary>
    public static Fact[] FactsOfFirstVersion(PagePool pool, MlaDefinition definition)
    {
        MlaShape shape = definition.Shape;
        return
        [
            new("HiddenSize", shape.HiddenSize),
            new("Heads", shape.Heads),
            new("QLoraRank", shape.QLoraRank),
            new("KvLoraRank", shape.KvLoraRank),
            new("QkNopeHeadDim", shape.QkNopeHeadDim),
            new("QkRopeHeadDim", shape.QkRopeHeadDim),
            new("VHeadDim", shape.VHeadDim),
            new("MaxPositionEmbeddings", shape.MaxPositionEmbeddings),
            new("CacheFormat", (long)pool.Layout.Format, value => ((CacheFormat)value).ToString()),
            new("bytes of a cache row", pool.Layout.RowBytes),
            new("RopeLayout", (long)definition.RopeLayout, value => ((RopeLayout)value).ToString()),
            new("hash of position parameters and scales", (long)HashParameters(definition), value => value.ToString("x16", CultureInfo.InvariantCulture)),
            new("layers", pool.Layers),
            new("tokens a page", pool.PageTokens),
        ];
    }

    /// <summary>A name of up to eight ASCII characters as a number.</summary>
    private static long NameNumber(string name)
    {
        Span<byte> bytes = stackalloc byte[Word];
        bytes.Clear();
        Encoding.ASCII.GetBytes(name, bytes);
        return BinaryPrimitives.ReadInt64LittleEndian(bytes);
    }

    private static string NameOf(long value)
    {
        Span<byte> bytes = stackalloc byte[Word];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, value);
        return string.Concat(Encoding.Latin1.GetString(bytes).TrimEnd('\0').Select(static c => char.IsAsciiLetterOrDigit(c) ? c : '?'));
    }

    /// <summary>Everything but the weights and the shape that a hidden state, and so a cached row of a later layer, depends on.</summary>
    private static ulong HashParameters(MlaDefinition definition)
    {
        Crc64 hash = new();
        Span<byte> bytes = stackalloc byte[Word];

        void Add(Span<byte> buffer, double value)
        {
            BinaryPrimitives.WriteDoubleLittleEndian(buffer, value);
            hash.Append(buffer);
        }

        foreach (float frequency in definition.InverseFrequencies)
        {
            Add(bytes, frequency);
        }

        Add(bytes, definition.RopeAttentionFactor);
        Add(bytes, definition.SoftmaxScale);
        Add(bytes, definition.LatentNormEpsilon);
        Add(bytes, definition.QLatentScale);
        Add(bytes, definition.KvLatentScale);
        Add(bytes, definition.Llama4ScalingBeta);
        Add(bytes, definition.OriginalMaxPositionEmbeddings);
        if (definition.Indexer is { } indexer)
        {
            Add(bytes, indexer.TopK);
            Add(bytes, indexer.Heads);
            Add(bytes, (int)indexer.RopeLayout);
            Add(bytes, indexer.RotatesLast ? 1 : 0);
            Add(bytes, indexer.NormEpsilon);
            Add(bytes, indexer.PoolTokens);
        }

        return hash.GetCurrentHashAsUInt64();
    }

    /// <summary>Something that is the same in a file and in the cache that reads it.</summary>
    /// <param name="Name">What it is.</param>
    /// <param name="Value">Its value, as stored.</param>
    /// <param name="Text">Its value, as read by people; left out, the number.</param>
    public readonly record struct Fact(string Name, long Value, Func<long, string>? Text = null)
    {
        public string Show(long value) => Text is null ? value.ToString(CultureInfo.InvariantCulture) : Text(value);
    }
}
