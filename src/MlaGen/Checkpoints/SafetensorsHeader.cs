using System.Collections.Immutable;

namespace MlaGen.Runtime;

/// <summary>What a header says of one tensor; offsets count from the end of the header.</summary>
internal readonly record struct SafetensorsEntry(string Name, TensorType Type, ImmutableArray<long> Shape, long Begin, long End)
{
    /// <summary>The type's name, where this version does not know it.</summary>
    public string? TypeName { get; init; }
}

/// <summary>
/// The JSON header of a safetensors file, checked as the reference implementation checks it (huggingface/safetensors, <c>Metadata::validate</c>):
/// the tensors lie end to end and cover the data exactly. Stricter in two points: no key may come twice, and a tensor has no keys but
/// <c>dtype</c>, <c>shape</c> and <c>data_offsets</c>. Laxer in one: a type that is not known may stand in a header, since most tensors of a
/// checkpoint are never read; its size is what its offsets say.
/// </summary>
internal sealed class SafetensorsHeader
{
    /// <summary>Longest header that is read, as in the reference implementation.</summary>
    public const int MaxLength = 100_000_000;

    private const string MetadataKey = "__metadata__";

    // {"tensor": {"shape": [
    private const int MaxDepth = 3;

    private readonly string _file;
    private readonly Dictionary<string, SafetensorsEntry> _entries = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> _metadata = new(StringComparer.Ordinal);

    /// <summary>Parses a header and checks it against the length of the data behind it.</summary>
    /// <param name="file">The file, for messages.</param>
    /// <param name="json">The header without its length.</param>
    /// <param name="dataLength">Bytes behind the header.</param>
    /// <exception cref="CheckpointException">The header is malformed or does not describe the data.</exception>
    public SafetensorsHeader(string file, ReadOnlySpan<byte> json, long dataLength)
    {
        _file = file;
        var reader = new CheckpointJson(file, "header", json, MaxDepth);
        bool hasMetadata = false;
        reader.BeginObject("top");
        while (reader.NextKey(out string key))
        {
            if (key != MetadataKey)
            {
                AddTensor(ref reader, key);
            }
            else if (!hasMetadata)
            {
                hasMetadata = true;
                AddMetadata(ref reader);
            }
            else
            {
                throw new CheckpointException($"header: {MetadataKey} comes twice", _file);
            }
        }

        reader.End();
        Entries = [.. _entries.Values.OrderBy(e => e.Begin).ThenBy(e => e.End)];
        CheckCoverage(dataLength);
    }

    /// <summary>The tensors, in the order of their data.</summary>
    public ImmutableArray<SafetensorsEntry> Entries { get; }

    /// <summary>The header's free-form text.</summary>
    public IReadOnlyDictionary<string, string> Metadata => _metadata;

    private void AddMetadata(ref CheckpointJson reader)
    {
        if (!reader.BeginObjectOrNull(MetadataKey))
        {
            return;
        }

        while (reader.NextKey(out string key))
        {
            if (!_metadata.TryAdd(key, reader.ReadString(MetadataKey)))
            {
                throw new CheckpointException($"header: {CheckpointException.Quote(key)} comes twice in {MetadataKey}", _file);
            }
        }
    }

    private void AddTensor(ref CheckpointJson reader, string name)
    {
        string what = $"tensor {CheckpointException.Quote(name)}";
        string? type = null;
        ImmutableArray<long>? shape = null;
        ImmutableArray<long>? offsets = null;
        reader.BeginObject(what);
        while (reader.NextKey(out string key))
        {
            switch (key)
            {
                case "dtype" when type is null:
                    type = reader.ReadString(what);
                    break;
                case "shape" when shape is null:
                    shape = ReadIntegers(ref reader, what);
                    break;
                case "data_offsets" when offsets is null:
                    offsets = ReadIntegers(ref reader, what);
                    break;
                case "dtype" or "shape" or "data_offsets":
                    throw Problem($"has {key} twice", name);
                default:
                    throw Problem($"has the key {CheckpointException.Quote(key)}; expected dtype, shape and data_offsets alone", name);
            }
        }

        SafetensorsEntry entry = MakeEntry(
            name,
            type ?? throw Problem("has no dtype", name),
            shape ?? throw Problem("has no shape", name),
            offsets ?? throw Problem("has no data_offsets", name));
        if (!_entries.TryAdd(name, entry))
        {
            throw Problem("comes twice in the header", name);
        }
    }

    private static ImmutableArray<long> ReadIntegers(ref CheckpointJson reader, string what)
    {
        var integers = ImmutableArray.CreateBuilder<long>();
        reader.BeginArray(what);
        while (reader.NextInteger(what, out long value))
        {
            integers.Add(value);
        }

        return integers.DrainToImmutable();
    }

    private SafetensorsEntry MakeEntry(string name, string typeName, ImmutableArray<long> shape, ImmutableArray<long> offsets)
    {
        bool isKnown = TensorTypes.TryParse(typeName, out TensorType type);

        // A byte an element stands for a type of unknown size: so the dimensions of every tensor are checked.
        if (TensorTypes.SizeProblem(isKnown ? type : TensorType.UInt8, shape.AsSpan(), out long bytes) is { } problem)
        {
            throw Problem($"has the impossible shape {TensorTypes.Format(shape.AsSpan())}: {problem}", name);
        }

        if (offsets is not [long begin, long end] || begin < 0 || begin > end)
        {
            throw Problem($"has data_offsets {TensorTypes.Format(offsets.AsSpan())}; expected [begin, end] with 0 <= begin <= end", name);
        }

        if (isKnown && end - begin != bytes)
        {
            throw Problem(
                $"has data_offsets [{begin}, {end}], {Counted.Of(end - begin, "byte")}; {type.Name()} {TensorTypes.Format(shape.AsSpan())} takes {bytes}", name);
        }

        return isKnown
            ? new SafetensorsEntry(name, type, shape, begin, end)
            : new SafetensorsEntry(name, TensorType.Other, shape, begin, end) { TypeName = typeName };
    }

    private void CheckCoverage(long dataLength)
    {
        long covered = 0;
        string previous = "the header";
        foreach (SafetensorsEntry entry in Entries)
        {
            if (entry.Begin < covered)
            {
                throw Problem($"begins at byte {entry.Begin} of the data and overlaps {previous}, which ends at {covered}", entry.Name);
            }

            if (entry.Begin > covered)
            {
                throw Problem($"begins at byte {entry.Begin} of the data; expected {covered}, the end of {previous}: no tensor may leave a hole", entry.Name);
            }

            if (entry.End > dataLength)
            {
                throw Problem($"ends at byte {entry.End} of the data; the file has {dataLength}", entry.Name);
            }

            covered = entry.End;
            previous = $"tensor {CheckpointException.Quote(entry.Name)}";
        }

        if (covered != dataLength)
        {
            throw new CheckpointException($"has {Counted.Of(dataLength - covered, "byte")} after the last tensor; expected none", _file);
        }
    }

    private CheckpointException Problem(string problem, string tensor) => new(problem, _file, tensor);
}
