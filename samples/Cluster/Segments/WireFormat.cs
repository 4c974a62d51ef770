using System.Numerics;
using System.Runtime.InteropServices;

namespace Cluster.Segments;

/// <summary>How queries and partial outputs travel. Rows of the cache and log-sum-exps are always single precision.</summary>
internal enum WireFormat
{
    /// <summary>As they are.</summary>
    Float32,

    /// <summary>Rounded to the nearest bfloat16: half the bytes.</summary>
    BFloat16,
}

/// <summary>Numbers in and out of a message.</summary>
internal static class WireFormats
{
    public static int Bytes(this WireFormat format) => format == WireFormat.BFloat16 ? sizeof(ushort) : sizeof(float);

    /// <summary>
    /// Rounds numbers to what the format can hold. Whoever sends does it, whether or not the message leaves the process: where a segment lies
    /// must not show in a bit.
    /// </summary>
    public static void Round(this WireFormat format, Span<float> values)
    {
        if (format != WireFormat.BFloat16)
        {
            return;
        }

        Span<uint> bits = MemoryMarshal.Cast<float, uint>(values);
        int i = 0;
        for (; i <= bits.Length - Vector<uint>.Count; i += Vector<uint>.Count)
        {
            Rounded(new Vector<uint>(bits[i..])).CopyTo(bits[i..]);
        }

        for (; i < bits.Length; i++)
        {
            bits[i] = Rounded(new Vector<uint>(bits[i]))[0];
        }
    }

    /// <summary>Writes rounded numbers, little-endian.</summary>
    public static void Encode(this WireFormat format, ReadOnlySpan<float> values, Span<byte> destination)
    {
        if (format == WireFormat.Float32)
        {
            MemoryMarshal.AsBytes(values).CopyTo(destination);
            return;
        }

        ReadOnlySpan<uint> bits = MemoryMarshal.Cast<float, uint>(values);
        Span<ushort> halves = MemoryMarshal.Cast<byte, ushort>(destination);
        int i = 0;
        for (; i <= bits.Length - Vector<ushort>.Count; i += Vector<ushort>.Count)
        {
            Vector.Narrow(new Vector<uint>(bits[i..]) >>> 16, new Vector<uint>(bits[(i + Vector<uint>.Count)..]) >>> 16).CopyTo(halves[i..]);
        }

        for (; i < bits.Length; i++)
        {
            halves[i] = (ushort)(bits[i] >> 16);
        }
    }

    /// <summary>Reads what <see cref="Encode"/> has written.</summary>
    public static void Decode(this WireFormat format, ReadOnlySpan<byte> source, Span<float> values)
    {
        if (format == WireFormat.Float32)
        {
            source.CopyTo(MemoryMarshal.AsBytes(values));
            return;
        }

        ReadOnlySpan<ushort> halves = MemoryMarshal.Cast<byte, ushort>(source);
        Span<uint> bits = MemoryMarshal.Cast<float, uint>(values);
        int i = 0;
        for (; i <= bits.Length - Vector<ushort>.Count; i += Vector<ushort>.Count)
        {
            Vector.Widen(new Vector<ushort>(halves[i..]), out Vector<uint> low, out Vector<uint> high);
            (low << 16).CopyTo(bits[i..]);
            (high << 16).CopyTo(bits[(i + Vector<uint>.Count)..]);
        }

        for (; i < bits.Length; i++)
        {
            bits[i] = (uint)halves[i] << 16;
        }
    }

    /// <summary>To the nearest, of two as near to the even one. A NaN keeps its sign and becomes a quiet one.</summary>
    private static Vector<uint> Rounded(Vector<uint> bits)
    {
        var quiet = new Vector<uint>(0x0040_0000);
        Vector<uint> rounded = bits + new Vector<uint>(0x7FFF) + ((bits >>> 16) & Vector<uint>.One);
        Vector<uint> numbers = Vector.AsVectorUInt32(Vector.Equals(Vector.AsVectorSingle(bits), Vector.AsVectorSingle(bits)));
        return Vector.ConditionalSelect(numbers, rounded, bits | quiet) & new Vector<uint>(0xFFFF_0000);
    }
}
