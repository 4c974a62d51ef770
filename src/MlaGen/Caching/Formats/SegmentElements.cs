using System.Buffers.Binary;
using System.Runtime.CompilerServices;

namespace MlaGen.Runtime;

/// <summary>What the codecs of several encodings have in common.</summary>
internal static class SegmentElements
{
    /// <summary>Groups that so many elements fall into.</summary>
    public static int Groups(int elements, int size) => (elements + size - 1) / size;

    /// <summary>The largest magnitude and where it stands; a NaN counts as the largest.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float LargestMagnitude(ReadOnlySpan<float> values, out int index)
    {
        float largest = 0;
        index = 0;
        for (int i = 0; i < values.Length; i++)
        {
            float magnitude = Math.Abs(values[i]);
            if (!(magnitude <= largest))
            {
                largest = magnitude;
                index = i;
                if (float.IsNaN(magnitude))
                {
                    break;
                }
            }
        }

        return largest;
    }

    /// <summary>Encodes to the end, or to the first value that is not finite once rounded, whose index it gives; else -1.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static int EncodeBFloat16(ReadOnlySpan<float> values, Span<byte> destination)
    {
        for (int i = 0; i < values.Length; i++)
        {
            ushort code = BFloat16Conversion.FromSingle(values[i]);
            if (!float.IsFinite(BFloat16Conversion.ToSingle(code)))
            {
                return i;
            }

            BinaryPrimitives.WriteUInt16LittleEndian(destination[(sizeof(ushort) * i)..], code);
        }

        return -1;
    }

    /// <summary>Decodes, reading no byte beyond the last value.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void DecodeBFloat16<V>(ref byte source, int count, ref float destination)
        where V : struct, ILanes<V>
    {
        ref ushort codes = ref Unsafe.As<byte, ushort>(ref source);
        int i = 0;
        for (; i <= count - V.Count; i += V.Count)
        {
            V.Store(V.LoadBFloat16(ref Unsafe.Add(ref codes, i)), ref Unsafe.Add(ref destination, i));
        }

        for (; i < count; i++)
        {
            Unsafe.Add(ref destination, i) = BFloat16Conversion.ToSingle(Unsafe.ReadUnaligned<ushort>(ref Unsafe.Add(ref source, sizeof(ushort) * i)));
        }
    }

    /// <summary>Decodes, reading no byte beyond the last value.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void DecodeFloat16<V>(ref byte source, int count, ref float destination)
        where V : struct, ILanes<V>
    {
        ref ushort codes = ref Unsafe.As<byte, ushort>(ref source);
        int i = 0;
        for (; i <= count - V.Count; i += V.Count)
        {
            V.Store(V.LoadFloat16(ref Unsafe.Add(ref codes, i)), ref Unsafe.Add(ref destination, i));
        }

        for (; i < count; i++)
        {
            Unsafe.Add(ref destination, i) = (float)Unsafe.ReadUnaligned<Half>(ref Unsafe.Add(ref source, sizeof(ushort) * i));
        }
    }
}
