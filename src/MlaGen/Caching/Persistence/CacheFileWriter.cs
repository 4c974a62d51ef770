using System.Buffers.Binary;
using MlaGen.Runtime;
using Microsoft.Win32.SafeHandles;

namespace MlaGen;

/// <summary>Writes a file of saved sequences: see <see cref="CacheFileFormat"/>.</summary>
internal sealed class CacheFileWriter
{
    private readonly PagePool _pool;
    private readonly CacheFileFormat.Fact[] _facts;

    /// <summary>Pages to be written, in the order of the file.</summary>
    private readonly List<int> _pages = [];

    /// <summary>Of each of them the tokens that any sequence has.</summary>
    private readonly List<int> _pageTokens = [];

    /// <summary>Where in the file a page is.</summary>
    private readonly Dictionary<int, int> _filePages = [];

    private CacheFileWriter(PagePool pool, MlaDefinition definition)
    {
        _pool = pool;
        _facts = CacheFileFormat.Facts(pool, definition);
    }

    public static void Save(PagePool pool, MlaDefinition definition, string path, ReadOnlySpan<SavedSequence> sequences)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        pool.ThrowIfDisposed();
        foreach (SavedSequence saved in sequences)
        {
            ArgumentNullException.ThrowIfNull(saved.Sequence, nameof(sequences));
            if (saved.Sequence.Pool != pool)
            {
                throw new ArgumentException("A sequence belongs to another cache.", nameof(sequences));
            }
        }

        CacheFileWriter writer = new(pool, definition);
        int acquired = 0;
        try
        {
            while (acquired < sequences.Length)
            {
                sequences[acquired].Sequence.Acquire(writer);
                acquired++;
            }

            writer.Write(path, sequences);
        }
        finally
        {
            foreach (SavedSequence saved in sequences[..acquired])
            {
                saved.Sequence.Release();
            }
        }
    }

    private void Write(string path, ReadOnlySpan<SavedSequence> sequences)
    {
        foreach (SavedSequence saved in sequences)
        {
            AddPages(saved.Sequence);
        }

        byte[] start = BuildStart(sequences, out int headerBytes);
        long pageBytes = _pool.PageBytes;
        _pool.MayFail();
        using FileReplacement file = new(path, start.Length + (_pages.Count * pageBytes));
        WritePages(file.Handle, start, headerBytes);
        CloseIndex(start.AsSpan(headerBytes));
        _pool.MayFail();
        RandomAccess.Write(file.Handle, start, 0);
        _pool.MayFail();
        file.Commit();
    }

    private void AddPages(LatentSequence sequence)
    {
        for (int i = 0; i < _pool.PagesFor(sequence.Length); i++)
        {
            int page = sequence.Pages[i];
            int tokens = Math.Min(_pool.PageTokens, sequence.Length - (i * _pool.PageTokens));
            _pool.MayFail();
            if (_filePages.TryAdd(page, _pages.Count))
            {
                _pages.Add(page);
                _pageTokens.Add(tokens);
            }
            else
            {
                int filePage = _filePages[page];
                _pageTokens[filePage] = Math.Max(_pageTokens[filePage], tokens);
            }
        }
    }

    /// <summary>Header and index, complete but for the checksums of the index.</summary>
    private byte[] BuildStart(ReadOnlySpan<SavedSequence> sequences, out int headerBytes)
    {
        headerBytes = CacheFileFormat.HeaderBytes(_facts.Length);
        long contentBytes = (long)_pages.Count * CacheFileFormat.Word;
        foreach (SavedSequence saved in sequences)
        {
            int length = saved.Sequence.Length;
            contentBytes += CacheFileFormat.SequenceBytes(length, _pool.PagesFor(length), saved.Tokens.Length);
        }

        long indexBytes = CacheFileFormat.IndexBytes(headerBytes, contentBytes);
        if (headerBytes + indexBytes > CacheFileFormat.MostStartBytes)
        {
            throw new ArgumentException(FormattableString.Invariant(
                $"Header and index of these {Counted.Of(sequences.Length, "sequence")} take {Counted.Of(headerBytes + indexBytes, "byte")}, about 4 for each token and for each number beside them; a file can have {CacheFileFormat.MostStartBytes}. Save fewer at a time."),
                nameof(sequences));
        }

        byte[] start = _pool.NewArray<byte>((int)(headerBytes + indexBytes));

        Span<byte> rest = start;
        CacheFileFormat.Magic.CopyTo(rest);
        rest = rest[CacheFileFormat.Magic.Length..];
        Put(ref rest, CacheFileFormat.Version);
        foreach (CacheFileFormat.Fact fact in _facts)
        {
            Put(ref rest, fact.Value);
        }

        Put(ref rest, (long)_pages.Count);
        Put(ref rest, (long)sequences.Length);
        Put(ref rest, indexBytes);
        Put(ref rest, (long)CacheFileFormat.Checksum(start.AsSpan(0, headerBytes - CacheFileFormat.Word)));

        rest = rest[(_pages.Count * CacheFileFormat.Word)..];
        foreach (SavedSequence saved in sequences)
        {
            LatentSequence sequence = saved.Sequence;
            Put(ref rest, sequence.Length);
            Put(ref rest, saved.Tokens.Length);
            Put(ref rest, sequence.Positions);
            foreach (int page in sequence.Pages[.._pool.PagesFor(sequence.Length)])
            {
                Put(ref rest, _filePages[page]);
            }

            Put(ref rest, saved.Tokens.Span);
        }

        return start;
    }

    /// <summary>Writes the pages behind header and index, and their checksums into the index.</summary>
    private void WritePages(SafeFileHandle handle, byte[] start, int headerBytes)
    {
        byte[] buffer = _pool.NewArray<byte>(_pool.PageBytes);
        for (int i = 0; i < _pages.Count; i++)
        {
            // Whatever memory held before lies beyond the tokens: it is nobody's to read.
            _pool.Page(_pages[i]).CopyTo(buffer);
            int layerBytes = buffer.Length / _pool.Layers;
            for (int layer = 0; layer < _pool.Layers; layer++)
            {
                foreach (RowPlane plane in _pool.Planes)
                {
                    buffer.AsSpan((layer * layerBytes) + plane.Start, plane.Bytes)[(plane.Codec.RowBytes * _pageTokens[i])..].Clear();
                }
            }

            BinaryPrimitives.WriteUInt64LittleEndian(start.AsSpan(headerBytes + (i * CacheFileFormat.Word)), CacheFileFormat.Checksum(buffer));
            _pool.MayFail();
            RandomAccess.Write(handle, buffer, start.Length + ((long)i * buffer.Length));
        }
    }

    private static void CloseIndex(Span<byte> index) =>
        BinaryPrimitives.WriteUInt64LittleEndian(index[^CacheFileFormat.Word..], CacheFileFormat.Checksum(index[..^CacheFileFormat.Word]));

    private static void Put(ref Span<byte> rest, long value)
    {
        BinaryPrimitives.WriteInt64LittleEndian(rest, value);
        rest = rest[sizeof(long)..];
    }

    private static void Put(ref Span<byte> rest, int value)
    {
        BinaryPrimitives.WriteInt32LittleEndian(rest, value);
        rest = rest[sizeof(int)..];
    }

    private static void Put(ref Span<byte> rest, ReadOnlySpan<int> values)
    {
        foreach (int value in values)
        {
            Put(ref rest, value);
        }
    }
}
