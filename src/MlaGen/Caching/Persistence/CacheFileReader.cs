using System.Buffers.Binary;
using Microsoft.Win32.SafeHandles;
using MlaGen.Runtime;

namespace MlaGen;

/// <summary>Reads a file of saved sequences: see <see cref="CacheFileFormat"/>. What is wrong is found before a sequence exists.</summary>
internal sealed class CacheFileReader
{
    private readonly PagePool _pool;
    private readonly MlaShape _shape;
    private readonly MlaDefinition _definition;
    private CacheFileFormat.Fact[] _facts;
    private readonly string _path;
    private readonly long _fileBytes;
    private readonly SafeFileHandle _file;

    private CacheFileReader(PagePool pool, MlaDefinition definition, string path, long fileBytes, SafeFileHandle file)
    {
        _pool = pool;
        _shape = definition.Shape;
        _definition = definition;
        _facts = CacheFileFormat.Facts(pool, definition);
        _path = path;
        _fileBytes = fileBytes;
        _file = file;
    }

    public static SavedSequence[] Load(PagePool pool, MlaDefinition definition, string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        pool.Enter();
        try
        {
            pool.MayFail();
            using SafeFileHandle file = RegularFile.OpenRead(path, out long length);
            if (length < CacheFileFormat.Magic.Length)
            {
                throw new CacheFileException(path, FormattableString.Invariant($"this is no file of saved sequences: it has {Counted.Of(length, "byte")}."));
            }

            return new CacheFileReader(pool, definition, path, length, file).Read();
        }
        finally
        {
            pool.Exit();
        }
    }

    private SavedSequence[] Read()
    {
        (int pageCount, int sequenceCount, int indexBytes) = ReadHeader();
        int headerBytes = CacheFileFormat.HeaderBytes(_facts.Length);
        byte[] index = Copy(headerBytes, indexBytes);
        CheckChecksum("index", index.AsSpan()[..^CacheFileFormat.Word], BinaryPrimitives.ReadUInt64LittleEndian(index.AsSpan()[^CacheFileFormat.Word..]));
        StoredSequence[] stored = ReadSequences(index.AsSpan()[..^CacheFileFormat.Word], pageCount, sequenceCount);

        int[] pages = _pool.NewArray<int>(pageCount);
        SavedSequence[] sequences = _pool.NewArray<SavedSequence>(sequenceCount);
        _pool.Allocate(pages);
        try
        {
            for (int i = 0; i < pages.Length; i++)
            {
                // Checked where it will be used, so that nothing can change in between.
                Span<byte> page = _pool.Page(pages[i]);
                Copy(headerBytes + indexBytes + ((long)i * page.Length), page);
                CheckChecksum(FormattableString.Invariant($"page {i}"), page, BinaryPrimitives.ReadUInt64LittleEndian(index.AsSpan(i * CacheFileFormat.Word)));
            }

            CreateSequences(stored, pages, sequences);
            return sequences;
        }
        finally
        {
            // The sequences hold them now, or nobody does.
            _pool.Release(pages);
        }
    }

    private (int Pages, int Sequences, int IndexBytes) ReadHeader()
    {
        byte[] header = Copy(0, (int)Math.Min(_fileBytes, 3 * CacheFileFormat.Word));
        if (!header.AsSpan().StartsWith(CacheFileFormat.Magic))
        {
            throw Refuse($"this is no file of saved sequences: it does not begin with \"MlaCache\".");
        }

        long version = header.Length >= 2 * CacheFileFormat.Word ? Number(header, 1) : CacheFileFormat.Version;
        if (version is not (CacheFileFormat.Version or CacheFileFormat.FirstVersion))
        {
            throw Refuse($"version {CacheFileFormat.Version} of the format is expected, {version} found.");
        }

        int factsOfFile = _facts.Length;
        if (version == CacheFileFormat.FirstVersion)
        {
            _facts = CacheFileFormat.FactsOfFirstVersion(_pool, _definition);
            factsOfFile = _facts.Length;
        }
        else if (header.Length == 3 * CacheFileFormat.Word)
        {
            long segments = Number(header, 2);
            factsOfFile = segments is > 0 and <= CacheFileFormat.MostSegments
                ? _facts.Length + (CacheFileFormat.FactsOfSegment * ((int)segments - _pool.Layout.Segments.Count))
                : throw Refuse($"{_facts[0].Name}: 1 to {CacheFileFormat.MostSegments} are expected, {segments} found.");
        }

        if (_fileBytes < CacheFileFormat.HeaderBytes(factsOfFile))
        {
            throw Refuse($"the header takes {Counted.Of(CacheFileFormat.HeaderBytes(factsOfFile), "byte")}, and the file has {_fileBytes}.");
        }

        header = Copy(0, CacheFileFormat.HeaderBytes(factsOfFile));

        int word = 2 + factsOfFile;
        CheckChecksum("header", header.AsSpan()[..^CacheFileFormat.Word], (ulong)Number(header, word + 3));
        for (int i = 0; i < Math.Min(_facts.Length, factsOfFile); i++)
        {
            if (Number(header, 2 + i) != _facts[i].Value)
            {
                throw Refuse($"{_facts[i].Name}: {_facts[i].Show(_facts[i].Value)} is expected, {_facts[i].Show(Number(header, 2 + i))} found.");
            }
        }

        (long pages, long sequences, long indexBytes) = (Number(header, word), Number(header, word + 1), Number(header, word + 2));
        Int128 expected = (Int128)header.Length + indexBytes + ((Int128)pages * _pool.PageBytes);
        if (pages < 0 || indexBytes < CacheFileFormat.Word || expected != _fileBytes)
        {
            throw Refuse($"{Counted.Of(pages, "page")} of {Counted.Of(_pool.PageBytes, "byte")} and an index of {indexBytes} make {Counted.Of(expected, "byte")}, and the file has {_fileBytes}.");
        }

        // What each takes in the index bounds how many there can be.
        Int128 least = ((Int128)pages * CacheFileFormat.Word) + ((Int128)sequences * CacheFileFormat.SequenceBytes(0, 0, 0)) + CacheFileFormat.Word;
        if (indexBytes > CacheFileFormat.MostStartBytes - header.Length)
        {
            throw Refuse($"header and an index of {Counted.Of(indexBytes, "byte")} are more than the {CacheFileFormat.MostStartBytes} that a file can have.");
        }

        if (sequences < 0 || least > indexBytes)
        {
            throw Refuse($"{Counted.Of(pages, "page")} and {Counted.Of(sequences, "sequence")} cannot be described in an index of {Counted.Of(indexBytes, "byte")}.");
        }

        return ((int)pages, (int)sequences, (int)indexBytes);
    }

    private StoredSequence[] ReadSequences(ReadOnlySpan<byte> index, int pageCount, int sequenceCount)
    {
        ReadOnlySpan<byte> rest = index[(pageCount * CacheFileFormat.Word)..];
        StoredSequence[] sequences = _pool.NewArray<StoredSequence>(sequenceCount);
        for (int i = 0; i < sequenceCount; i++)
        {
            ReadOnlySpan<int> counts = Take(ref rest, 2, i);
            (int length, int tokens) = (counts[0], counts[1]);
            if (length < 0 || tokens < 0)
            {
                throw Refuse($"sequence {i} has {Counted.Of(length, "token")} and {Counted.Of(tokens, "number")} beside them.");
            }

            sequences[i] = new StoredSequence(Take(ref rest, length, i), Take(ref rest, _pool.PagesFor(length), i), Take(ref rest, tokens, i));
            CheckRange("position", sequences[i].Positions, _shape.MaxPositionEmbeddings, i);
            CheckRange("page", sequences[i].Pages, pageCount, i);
        }

        if (rest.ContainsAnyExcept((byte)0))
        {
            throw Refuse($"the end of the index is not empty.");
        }

        return sequences;
    }

    private void CreateSequences(StoredSequence[] stored, int[] pages, SavedSequence[] sequences)
    {
        int created = 0;
        try
        {
            for (; created < stored.Length; created++)
            {
                (int[] positions, int[] table, int[] tokens) = stored[created];
                for (int i = 0; i < table.Length; i++)
                {
                    table[i] = pages[table[i]];
                }

                sequences[created] = new SavedSequence(new LatentSequence(_pool, table, positions.Length, positions), tokens);
            }
        }
        catch
        {
            foreach (SavedSequence saved in sequences.AsSpan(0, created))
            {
                saved.Sequence.Dispose();
            }

            throw;
        }
    }

    private int[] Take(ref ReadOnlySpan<byte> rest, int count, int sequence)
    {
        if (count > rest.Length / sizeof(int))
        {
            throw Refuse($"sequence {sequence} goes beyond the end of the index.");
        }

        int[] values = _pool.NewArray<int>(count);
        for (int i = 0; i < count; i++)
        {
            values[i] = BinaryPrimitives.ReadInt32LittleEndian(rest[(i * sizeof(int))..]);
        }

        rest = rest[(count * sizeof(int))..];
        return values;
    }

    private void CheckRange(string what, int[] values, int limit, int sequence)
    {
        foreach (int value in values)
        {
            if ((uint)value >= (uint)limit)
            {
                throw Refuse($"sequence {sequence} has {what} {value}: they run from 0 to {limit - 1}.");
            }
        }
    }

    private void CheckChecksum(string part, ReadOnlySpan<byte> bytes, ulong expected)
    {
        ulong found = CacheFileFormat.Checksum(bytes);
        if (found != expected)
        {
            throw Refuse($"the checksum of the {part} is {found:x16}, and {expected:x16} is stored: the file is damaged.");
        }
    }

    private byte[] Copy(long offset, int bytes)
    {
        byte[] copy = _pool.NewArray<byte>(bytes);
        Copy(offset, copy);
        return copy;
    }

    // Read, not mapped: of a mapped file that somebody shortens meanwhile, a read beyond the new end ends the process.
    private void Copy(long offset, Span<byte> destination)
    {
        _pool.MayFail();
        int read = RegularFile.Read(_file, offset, destination);
        if (read < destination.Length)
        {
            throw Refuse($"it had {Counted.Of(_fileBytes, "byte")} when it was opened, and ends after {offset + read} now.");
        }
    }

    private CacheFileException Refuse(FormattableString problem) => new(_path, FormattableString.Invariant(problem));

    private static long Number(ReadOnlySpan<byte> header, int word) => BinaryPrimitives.ReadInt64LittleEndian(header[(word * CacheFileFormat.Word)..]);

    /// <summary>A sequence as the file describes it.</summary>
    private readonly record struct StoredSequence(int[] Positions, int[] Pages, int[] Tokens);
}
