using System.Diagnostics.CodeAnalysis;
using System.Text.Encodings.Web;
using System.Text.Json;
using MlaGen.Runtime;

namespace MlaGen;

/// <summary>
/// A checkpoint beside which packed weights are kept in a file: what is loaded from it the first time is packed and written there, and mapped from there
/// the next time, without a copy.
/// </summary>
/// <remarks>
/// <para>The file belongs to the checkpoint that it was made of, as it was then: names, lengths, times, headers and samples of its files are compared. One that
/// was made of another is made again. It is written as a whole under another name and renamed, so that several processes may make it at once.</para>
/// <para>It must not be shortened in place while weights are mapped: that ends the process. It may be replaced.</para>
/// <para>One thread may load at a time.</para>
/// </remarks>
public sealed class PackedWeights : ICheckpoint, IDisposable
{
    private readonly ICheckpoint _tensors;
    private readonly Store _store;

    private PackedWeights(ICheckpoint tensors, Store store)
    {
        _tensors = tensors;
        _store = store;
    }

    /// <summary>The path of the file.</summary>
    public string Path => _store.Path;

    /// <summary>Whether the file was there and weights are mapped from it. If not, it is being made.</summary>
    public bool IsMapped => _store.Mapped is not null;

    /// <summary>Whether a file was there that is made again: the checkpoint is another one now, or was changed, or the format of weights is another.</summary>
    public bool WasStale => _store.WasStale;

    /// <inheritdoc/>
    public string Source => _tensors.Source;

    /// <inheritdoc/>
    public IEnumerable<string> Names => _tensors.Names;

    /// <summary>Opens the file of a checkpoint, or begins it.</summary>
    /// <param name="path">The file.</param>
    /// <param name="checkpoint">The checkpoint, which must stay open as long as weights are loaded.</param>
    /// <param name="format">The format in which most of its weights are loaded: a file of another one is stale.</param>
    /// <returns>The checkpoint to load from, to be disposed; what was loaded stays.</returns>
    /// <exception cref="ArgumentException">The path is empty or has a zero in it.</exception>
    /// <exception cref="CheckpointException">There is a file of another kind, or a damaged one; it is left as it is.</exception>
    /// <exception cref="IOException">The file cannot be written.</exception>
    /// <exception cref="UnauthorizedAccessException">Nothing may be written there.</exception>
    public static PackedWeights Open(string path, Checkpoint checkpoint, WeightFormat format)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentNullException.ThrowIfNull(checkpoint);
        return new PackedWeights(checkpoint, Store.Open(path, checkpoint, format));
    }

    /// <summary>The same file for another view of the checkpoint's tensors.</summary>
    /// <param name="tensors">The view: what a tensor is called in it must be called so in no other, unless it is the same.</param>
    /// <returns>A checkpoint to load from, which need not be disposed.</returns>
    public PackedWeights Over(ICheckpoint tensors)
    {
        ArgumentNullException.ThrowIfNull(tensors);
        return new PackedWeights(tensors, _store);
    }

    /// <inheritdoc/>
    public bool TryGetTensor(string name, [NotNullWhen(true)] out CheckpointTensor? tensor) => _tensors.TryGetTensor(name, out tensor);

    /// <summary>Puts the file in its place, once everything is loaded. Does nothing where it was there.</summary>
    /// <exception cref="IOException">It cannot be written.</exception>
    public void Commit() => _store.Commit();

    /// <summary>Gives up a file that was not committed.</summary>
    public void Dispose() => _store.Dispose();

    /// <summary>Packs a matrix of a checkpoint, or takes it from the file that is kept beside it.</summary>
    internal static PackedMatrix Pack(ICheckpoint checkpoint, string name, int rows, int columns, PanelProducts products, PackedMatrix.ReadRows read, params ReadOnlySpan<int> groups) =>
        checkpoint is PackedWeights kept ? kept._store.Pack(name, rows, columns, products, read, groups) : PackedMatrix.Pack(rows, columns, products, read, groups);

    /// <summary>The file: a safetensors file, whose reader refuses whatever is not one, of tensors of bytes, which are panels.</summary>
    private sealed class Store : IDisposable
    {
        private const string Kind = "mlagen packed weights 1";
        private const string KindKey = "kind";
        private const string SourceKey = "source";
        private const int Alignment = 4096;
        private const int TensorAlignment = 64;

        private readonly string _fingerprint;
        private readonly Dictionary<string, CheckpointTensor> _mapped = new(StringComparer.Ordinal);
        private readonly Dictionary<string, long> _written = new(StringComparer.Ordinal);
        private readonly FileReplacement? _file;

        /// <summary>What the header may take: data begins behind it, before it is known.</summary>
        private readonly int _headerBytes;
        private long _dataBytes;

        private Store(string path, string fingerprint, SafetensorsFile? file, bool wasStale, int headerBytes)
        {
            Path = path;
            WasStale = wasStale;
            _fingerprint = fingerprint;
            _headerBytes = headerBytes;
            if (file is null)
            {
                _file = new FileReplacement(path, bytes: 0);
                return;
            }

            _mapped = file.Tensors.ToDictionary(static tensor => tensor.Name, StringComparer.Ordinal);
            Mapped = MappedFile.Of(file.Handle, file.Length);
        }

        public string Path { get; }

        public MappedFile? Mapped { get; }

        public bool WasStale { get; }

        public static Store Open(string path, Checkpoint checkpoint, WeightFormat format)
        {
            string fingerprint = CheckpointFingerprint.Of(checkpoint, FormattableString.Invariant($"{Kind}, {format}"));
            if (FileStatus.Of(path).Kind == FileKind.Missing)
            {
                return new Store(path, fingerprint, file: null, wasStale: false, HeaderBytes(checkpoint));
            }

            using SafetensorsFile file = SafetensorsFile.Open(path);
            if (file.Metadata.GetValueOrDefault(KindKey) is not { } kind || kind.Length > Kind.Length || !kind.StartsWith(Kind[..^1], StringComparison.Ordinal))
            {
                throw new CheckpointException($"is not a file of packed weights, and is left as it is; expected {KindKey} '{Kind}' in its metadata", path);
            }

            return kind == Kind && file.Metadata.GetValueOrDefault(SourceKey) == fingerprint
                ? new Store(path, fingerprint, file, wasStale: false, headerBytes: 0)
                : new Store(path, fingerprint, file: null, wasStale: true, HeaderBytes(checkpoint));
        }

        public PackedMatrix Pack(string name, int rows, int columns, PanelProducts products, PackedMatrix.ReadRows read, ReadOnlySpan<int> groups)
        {
            string key = FormattableString.Invariant($"{name} {products.Name} {rows}x{columns} {string.Join('+', groups.ToArray())}");
            if (_mapped.TryGetValue(key, out CheckpointTensor? tensor))
            {
                return Map(tensor, rows, columns, products, groups);
            }

            PackedMatrix matrix = PackedMatrix.Pack(rows, columns, products, read, groups);
            if (_file is not null && _written.TryAdd(key, matrix.Bytes))
            {
                matrix.WriteTo(_file.Handle, _headerBytes + _dataBytes);
                _dataBytes += Aligned(matrix.Bytes, TensorAlignment);
            }

            return matrix;
        }

        public void Commit()
        {
            if (_file is null)
            {
                return;
            }

            byte[] header = Header();
            if (header.Length > _headerBytes)
            {
                throw new IOException(FormattableString.Invariant($"{Path}: the names of its {_written.Count} tensors take {header.Length} bytes; there is room for {_headerBytes}."));
            }

            byte[] padded = new byte[_headerBytes];
            padded.AsSpan().Fill((byte)' ');
            header.CopyTo(padded, 0);
            BitConverter.TryWriteBytes(padded, (long)_headerBytes - sizeof(long));
            RandomAccess.Write(_file.Handle, padded, 0);

            // The last tensor reaches to its end, also where its own bytes do not.
            RandomAccess.SetLength(_file.Handle, _headerBytes + _dataBytes);
            _file.Commit();
        }

        public void Dispose() => _file?.Dispose();

        private static long Aligned(long bytes, int alignment) => (bytes + alignment - 1) / alignment * alignment;

        /// <summary>What names may take: of a tensor of three dimensions each part may have two.</summary>
        private static int HeaderBytes(Checkpoint checkpoint)
        {
            const int Rest = 160;
            long bytes = checkpoint.Tensors.Sum(static tensor => ((2L * tensor.Name.Length) + Rest) * (tensor.Shape is [long parts, _, _] ? 2 * parts : 1));
            return (int)Aligned(Math.Min(bytes + Alignment, SafetensorsHeader.MaxLength - Alignment), Alignment);
        }

        private PackedMatrix Map(CheckpointTensor tensor, int rows, int columns, PanelProducts products, ReadOnlySpan<int> groups)
        {
            long expected = Aligned(PackedMatrix.BytesOf(rows, columns, products, groups), TensorAlignment);
            long position = SafetensorsFile.PositionOf(tensor);
            return tensor.Type == TensorType.UInt8 && tensor.Shape is [long bytes] && bytes == expected && position % TensorAlignment == 0
                ? PackedMatrix.Map(rows, columns, products, Mapped!, position, groups)
                : throw new CheckpointException(
                    FormattableString.Invariant($"at byte {position} is {tensor.Describe()}; expected U8 [{expected}] on a multiple of {TensorAlignment}: the file is damaged, delete it to have it made again"), Path, tensor.Name);
        }

        /// <summary>The length, which is not known yet, and the JSON.</summary>
        private byte[] Header()
        {
            using MemoryStream stream = new();
            stream.Write(new byte[sizeof(long)]);
            using Utf8JsonWriter json = new(stream, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
            json.WriteStartObject();
            json.WriteStartObject("__metadata__");
            json.WriteString(KindKey, Kind);
            json.WriteString(SourceKey, _fingerprint);
            json.WriteEndObject();
            long begin = 0;
            foreach ((string name, long bytes) in _written)
            {
                long length = Aligned(bytes, TensorAlignment);
                json.WriteStartObject(name);
                json.WriteString("dtype", TensorType.UInt8.Name());
                WriteNumbers(json, "shape", length);
                WriteNumbers(json, "data_offsets", begin, begin + length);
                json.WriteEndObject();
                begin += length;
            }

            json.WriteEndObject();
            json.Flush();
            return stream.ToArray();
        }

        private static void WriteNumbers(Utf8JsonWriter json, string name, params ReadOnlySpan<long> numbers)
        {
            json.WriteStartArray(name);
            foreach (long number in numbers)
            {
                json.WriteNumberValue(number);
            }

            json.WriteEndArray();
        }
    }
}
