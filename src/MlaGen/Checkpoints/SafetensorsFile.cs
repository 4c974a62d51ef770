using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Microsoft.Win32.SafeHandles;
using MlaGen.Runtime;

namespace MlaGen;

/// <summary>
/// One open safetensors file: tensors are read when they are asked for. The header is checked completely before the file counts
/// as open, so a file that is truncated, has holes, overlaps or bytes to spare is refused as a whole.
/// </summary>
/// <remarks>
/// Any number of threads may read at once. The file stays open, so that a new file under its name changes nothing here. It must not be changed in
/// place meanwhile: another length is found by the next read, but other bytes of the same length are taken for the tensor's.
/// </remarks>
public sealed class SafetensorsFile : ICheckpoint, IDisposable
{
    private const int LengthBytes = sizeof(ulong);

    private readonly SafeFileHandle _handle;
    private readonly long _length;
    private readonly Dictionary<string, CheckpointTensor> _byName;
    private readonly ImmutableArray<CheckpointTensor> _tensors;
    private readonly IReadOnlyDictionary<string, string> _metadata;
    private volatile bool _disposed;

    private SafetensorsFile(string path, SafeFileHandle handle, long length, long dataStart, SafetensorsHeader header)
    {
        Source = path;
        _handle = handle;
        _length = length;
        DataStart = dataStart;
        _metadata = header.Metadata;
        _tensors = [.. header.Entries.Select(entry => new FileTensor(this, dataStart + entry.Begin, entry.End - entry.Begin)
        {
            Name = entry.Name,
            Type = entry.Type,
            TypeName = entry.TypeName,
            Shape = entry.Shape,
            Source = path,
        })];
        _byName = _tensors.ToDictionary(tensor => tensor.Name, StringComparer.Ordinal);
    }

    /// <summary>The path the file was opened by.</summary>
    public string Source { get; }

    /// <summary>The tensors, in the order of their data.</summary>
    /// <exception cref="ObjectDisposedException">The file is closed.</exception>
    public IReadOnlyList<CheckpointTensor> Tensors
    {
        get
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            return _tensors;
        }
    }

    /// <inheritdoc/>
    /// <exception cref="ObjectDisposedException">The file is closed.</exception>
    public IEnumerable<string> Names => Tensors.Select(static tensor => tensor.Name);

    /// <summary>The header's free-form <c>__metadata__</c>; empty when there is none.</summary>
    /// <exception cref="ObjectDisposedException">The file is closed.</exception>
    public IReadOnlyDictionary<string, string> Metadata
    {
        get
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            return _metadata;
        }
    }

    /// <summary>The open file.</summary>
    internal SafeFileHandle Handle => _handle;

    /// <summary>Its length when it was opened.</summary>
    internal long Length => _length;

    /// <summary>Where the header ends and data begins.</summary>
    internal long DataStart { get; }

    /// <summary>Opens a file and checks its header.</summary>
    /// <param name="path">The file, of whatever extension.</param>
    /// <returns>The open file, to be disposed.</returns>
    /// <exception cref="ArgumentException">The path is empty or has a zero in it.</exception>
    /// <exception cref="CheckpointException">The file is missing, unreadable or malformed.</exception>
    public static SafetensorsFile Open(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        SafeFileHandle handle = CheckpointFiles.Open(path, out long length);
        try
        {
            byte[] json = ReadHeader(path, handle, length);
            long dataStart = LengthBytes + json.Length;
            return new SafetensorsFile(path, handle, length, dataStart, new SafetensorsHeader(path, json, length - dataStart));
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    /// <exception cref="ObjectDisposedException">The file is closed.</exception>
    public bool TryGetTensor(string name, [NotNullWhen(true)] out CheckpointTensor? tensor)
    {
        ArgumentNullException.ThrowIfNull(name);
        ObjectDisposedException.ThrowIf(_disposed, this);
        return _byName.TryGetValue(name, out tensor);
    }

    /// <summary>Closes the file; its tensors cannot be read any more.</summary>
    public void Dispose()
    {
        _disposed = true;
        _handle.Dispose();
    }

    /// <summary>Where a tensor of this file begins in it.</summary>
    internal static long PositionOf(CheckpointTensor tensor) => ((FileTensor)tensor).Start;

    private static byte[] ReadHeader(string path, SafeFileHandle handle, long fileLength)
    {
        if (fileLength < LengthBytes)
        {
            throw new CheckpointException($"is {Counted.Of(fileLength, "byte")} long; the length of a safetensors header alone takes {LengthBytes}", path);
        }

        Span<byte> prefix = stackalloc byte[LengthBytes];
        CheckpointFiles.Read(handle, path, fileLength, 0, prefix);
        ulong length = BinaryPrimitives.ReadUInt64LittleEndian(prefix);
        if (length > SafetensorsHeader.MaxLength)
        {
            throw new CheckpointException($"gives its header a length of {Counted.Of(length, "byte")}; at most {SafetensorsHeader.MaxLength} are legal: not a safetensors file?", path);
        }

        if (length > (ulong)(fileLength - LengthBytes))
        {
            throw new CheckpointException($"gives its header a length of {Counted.Of(length, "byte")}; only {fileLength - LengthBytes} follow", path);
        }

        byte[] json = new byte[length];
        CheckpointFiles.Read(handle, path, fileLength, LengthBytes, json);
        return json;
    }

    private sealed class FileTensor(SafetensorsFile file, long start, long length) : CheckpointTensor
    {
        public long Start => start;

        public override void Read(long offset, Span<byte> destination)
        {
            TensorTypes.CheckRange(this, length, offset, destination.Length);
            ObjectDisposedException.ThrowIf(file._disposed, file);
            CheckpointFiles.Read(file._handle, file.Source, file._length, start + offset, destination);
        }
    }
}
