using System.Buffers;
using System.Runtime.InteropServices;
using Cluster.Segments;
using Orleans.Serialization;
using Orleans.Serialization.Buffers;
using Orleans.Serialization.Codecs;
using Orleans.Serialization.WireProtocol;
using Samples;

namespace Cluster.Grains;

/// <summary>
/// Numbers as one run of bytes: a byte for the format, then the numbers, little-endian. They go from their own memory into the message's and
/// back without another copy between.
/// </summary>
[RegisterSerializer]
internal sealed class NumbersCodec : IFieldCodec<Numbers>
{
    /// <summary>Numbers that are converted at a time.</summary>
    private const int Chunk = 1024;

    public void WriteField<TBufferWriter>(ref Writer<TBufferWriter> writer, uint fieldIdDelta, Type? expectedType, Numbers value)
        where TBufferWriter : IBufferWriter<byte>
    {
        ReferenceCodec.MarkValueField(writer.Session);
        writer.WriteFieldHeader(fieldIdDelta, expectedType, typeof(Numbers), WireType.LengthPrefixed);
        ReadOnlySpan<float> values = value.Values.Span;
        writer.WriteVarUInt32(checked((uint)(1 + ((long)values.Length * value.Format.Bytes()))));
        writer.WriteByte((byte)value.Format);
        if (value.Format == WireFormat.Float32)
        {
            writer.Write(MemoryMarshal.AsBytes(values));
            return;
        }

        Span<byte> bytes = stackalloc byte[Chunk * value.Format.Bytes()];
        while (!values.IsEmpty)
        {
            int count = Math.Min(Chunk, values.Length);
            value.Format.Encode(values[..count], bytes);
            writer.Write(bytes[..(count * value.Format.Bytes())]);
            values = values[count..];
        }
    }

    public Numbers ReadValue<TInput>(ref Reader<TInput> reader, Field field)
    {
        ReferenceCodec.MarkValueField(reader.Session);
        field.EnsureWireType(WireType.LengthPrefixed);
        uint length = reader.ReadVarUInt32();
        if (length < 1 || length > reader.Length - reader.Position)
        {
            throw new SerializerException($"Numbers of {Counted.Of(length, "byte")} in a message of which {reader.Length - reader.Position} are left.");
        }

        var format = (WireFormat)reader.ReadByte();
        if (!Enum.IsDefined(format) || (length - 1) % (uint)format.Bytes() != 0)
        {
            throw new SerializerException($"{Counted.Of(length - 1, "byte")} cannot hold numbers of format {format}.");
        }

        float[] values = GC.AllocateUninitializedArray<float>((int)((length - 1) / (uint)format.Bytes()));
        if (format == WireFormat.Float32)
        {
            reader.ReadBytes(MemoryMarshal.AsBytes(values.AsSpan()));
            return new Numbers(values, format);
        }

        Span<byte> bytes = stackalloc byte[Chunk * format.Bytes()];
        for (int start = 0; start < values.Length; start += Chunk)
        {
            int count = Math.Min(Chunk, values.Length - start);
            reader.ReadBytes(bytes[..(count * format.Bytes())]);
            format.Decode(bytes[..(count * format.Bytes())], values.AsSpan(start, count));
        }

        return new Numbers(values, format);
    }
}
