namespace MlaGen.Tests.Acceptance;

/// <summary>The grids of the suite, in full: the shapes on which published kernels have failed.</summary>
internal static class Grids
{
    private static readonly int[] _pages = [16, 64, 37];

    private static readonly LatentShape[] _headCounts = [new(1), new(3), new(9), new(63), new(64), new(126), new(128)];

    private static readonly LatentShape _wide = new(128, 512, 64);

    /// <summary>Each format under 64 heads.</summary>
    private static readonly LatentShape[] _formats = [.. Enum.GetValues<CacheFormat>().Select(format => new LatentShape(64, Format: format))];

    /// <summary>Each format under few heads, with widths that are no multiple of a vector or of a group.</summary>
    private static readonly LatentShape[] _oddFormats =
        [new(7, 72, 6), new(7, 72, 6, CacheFormat.BFloat16), new(4, Format: CacheFormat.Float16), new(20, 200, 16, CacheFormat.Float8), new(8, 97, 8, CacheFormat.Int8)];

    /// <summary>Shapes that published models have besides DeepSeek's, and some that none has.</summary>
    public static readonly LatentShape[] OtherShapes =
        [new(1, 256, 64), new(7, 72, 6), new(8), new(20, 96, 8), new(20, 512, 64), new(22, 64, 0), new(40, 256, 32), new(96, 256, 64)];

    /// <summary>All grids by name.</summary>
    public static IReadOnlyDictionary<string, GridPoint[]> All { get; } = new Dictionary<string, GridPoint[]>
    {
        ["A1"] = [.. DenseDecode("A1")],
        ["A2"] = [.. HalfEmpty("A2")],
        ["A3"] = [.. Lengths("A3", [17, 33, 96, 97, 114, 514, 1024])],
        ["A3 without keys"] = [.. Lengths("A3 without keys", [0])],
        ["A4"] = [.. MixedLengths("A4")],
        ["A6"] = [.. PrefillAndDecode("A6")],
        ["A9"] = [.. Formats("A9")],
        ["A16"] = [.. Shapes("A16")],
        ["A17"] = [.. Magnitudes("A17")],
    };

    /// <summary>A step of decoding, one token or a few, over sequences of one length or of different ones.</summary>
    private static IEnumerable<GridPoint> DenseDecode(string grid) =>
        from batch in (int[])[1, 2, 6, 64]
        from queries in (int[])[1, 2, 4]
        from keys in (int[])[20, 140, 4096]
        from shape in _headCounts.Append(_wide).Union(_formats)
        from page in _pages
        from mixed in (bool[])[false, true]
        where batch > 1 || !mixed
        let sequences = Enumerable.Range(0, batch).Select(i => (mixed ? keys - ((keys - queries) * (((i * 5) + 1) % batch) / batch) : keys, queries))
        select new GridPoint([batch, queries, keys, shape, page, mixed], new(grid, shape, page, [.. sequences]));

    /// <summary>Many sequences, a random half of them empty, some with fewer keys than queries.</summary>
    private static IEnumerable<GridPoint> HalfEmpty(string grid) =>
        from keys in (int[])[20, 140]
        from shape in _oddFormats.Concat([new(9), new(63), new(128)])
        from page in _pages
        select new GridPoint([keys, shape, page], new(grid, shape, page, [.. HalfEmptyLengths(keys).Select(length => (length, 2))]));

    private static int[] HalfEmptyLengths(int longest)
    {
        var random = new Random(longest);
        int[] lengths = [.. Enumerable.Range(0, 128).Select(i => i < 64 ? 0 : 1 + random.Next(longest))];
        random.Shuffle(lengths);
        return lengths;
    }

    /// <summary>Lengths beside every block, tile and page, under numbers of queries that no tile divides.</summary>
    private static IEnumerable<GridPoint> Lengths(string grid, int[] lengths) =>
        from batch in (int[])[1, 3, 5, 7, 157]
        from keys in lengths
        from queries in (int[])[1, 3, 5, 7, 9, 11, 13, 15, 17]
        from page in (int[])[1, 16]
        from shape in _oddFormats.Concat([new(1), new(22, 64, 0)])
        select new GridPoint([batch, keys, queries, page, shape], new(grid, shape, page, [.. Enumerable.Repeat((keys, queries), batch)]));

    /// <summary>From no keys to many blocks, in one call.</summary>
    private static IEnumerable<GridPoint> MixedLengths(string grid) =>
        from queries in (int[])[1, 2]
        from shape in _oddFormats.Concat([new(16), new(64)])
        from page in _pages
        let sequences = new[] { 514, 0, 17, 8736, 1, 33, 114, 3, 2743, 11, 79 }.Select(keys => (keys, queries))
        select new GridPoint([queries, shape, page], new(grid, shape, page, [.. sequences]));

    /// <summary>Sequences that prefill beside others that decode.</summary>
    private static IEnumerable<GridPoint> PrefillAndDecode(string grid) =>
        from sequences in (IReadOnlyList<(int, int)>[])
        [
            [.. Twice((128, 1), (256, 1), (512, 1), (1024, 1))],
            [(512, 1), (1024, 1), (2048, 1), (512, 7), (1024, 7), (2048, 7)],
            [.. Twice((70, 70), (97, 1), (514, 9))],
            [.. Enumerable.Repeat((4096, 32), 8)],
        ]
        from shape in _oddFormats.Concat([new(1), new(3), new(9), new(64)])
        from page in _pages
        select new GridPoint([sequences, shape, page], new(grid, shape, page, sequences));

    private static IEnumerable<T> Twice<T>(params T[] items) => items.Concat(items);

    /// <summary>Rows that a format may stumble over.</summary>
    private static IEnumerable<GridPoint> Formats(string grid) =>
        from content in (Content[])[Content.Random, Content.ZeroToken, Content.Outlier, Content.AllZero]
        from shape in _formats.Concat(_oddFormats)
        from keys in (int[])[1, 17, 140, 514]
        from queries in (int[])[1, 3]
        from page in _pages
        select new GridPoint([content, shape, keys, queries, page], new(grid, shape, page, [(keys, queries)], content));

    private static IEnumerable<GridPoint> Shapes(string grid) =>
        from shape in OtherShapes
        from batch in (int[])[1, 3]
        from keys in (int[])[1, 17, 140, 514, 1100]
        from queries in (int[])[1, 5]
        from page in _pages
        select new GridPoint([shape, batch, keys, queries, page], new(grid, shape, page, [.. Enumerable.Repeat((keys, queries), batch)]));

    /// <summary>Large and small scores and values. What fp16 cannot hold, a cache of fp16 refuses: that has a test of its own.</summary>
    private static IEnumerable<GridPoint> Magnitudes(string grid) =>
        from content in (Content[])[Content.LargeScores, Content.EqualKeys, Content.BeyondHalf, Content.Denormal]
        from shape in _oddFormats.Concat([new(9), new(64)])
        where content != Content.BeyondHalf || shape.Format != CacheFormat.Float16
        from keys in (int[])[17, 140, 1100]
        from queries in (int[])[1, 3]
        from page in _pages
        select new GridPoint([content, shape, keys, queries, page], new(grid, shape, page, [(keys, queries)], content));
}
