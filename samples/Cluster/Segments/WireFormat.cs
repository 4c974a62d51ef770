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
        if (format == WireFormat.BFloat16)
        {
            foreach (ref float value in values)
            {
                // To the nearest, of two as near to the even one. A NaN keeps its sign and becomes a quiet one.
                uint bits = BitConverter.SingleToUInt32Bits(value);
                uint rounded = float.IsNaN(value) ? bits | 0x0040_0000 : bits + 0x7FFF + ((bits >> 16) & 1);
                value = BitConverter.UInt32BitsToSingle(rounded & 0xFFFF_0000);
            }
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

        Span<ushort> halves = MemoryMarshal.Cast<byte, ushort>(destination);
        for (int i = 0; i < values.Length; i++)
        {
            halves[i] = (ushort)(BitConverter.SingleToUInt32Bits(values[i]) >> 16);
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
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = BitConverter.UInt32BitsToSingle((uint)halves[i] << 16);
        }
    }
}
