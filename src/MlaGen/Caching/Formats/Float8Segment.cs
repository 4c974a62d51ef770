using System.Buffers.Binary;
using System.Runtime.CompilerServices;

namespace MlaGen.Runtime;

/// <summary>e4m3 with a scale for each group of min(128, R) of R elements, the last group shorter where R is no multiple. DeepSeek's fp8 cache as FlashMLA lays it out.</summary>
/// <remarks>
/// With G = ⌈R / min(128, R)⌉:
/// <code>
/// 0  R   elements, e4m3: nearest even to value / scale
/// R  4G  scale of each group, float: 2^⌈log2(max(largest magnitude / 448, 1e-4))⌉
/// </code>
/// </remarks>
internal sealed class Float8Segment<V>(int elements) : SegmentCodec(elements, elements + (sizeof(float) * SegmentElements.Groups(elements, MostOfGroup)))
    where V : struct, ILanes<V>
{
    private const int MostOfGroup = 128;
    private const float Largest = 448;
    private const float LeastScale = 1e-4f;
    private const int MantissaBits = 23;

    private readonly int _group = Math.Min(MostOfGroup, elements);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override int Encode(ReadOnlySpan<float> values, Span<byte> destination)
    {
        Span<byte> scales = destination[Elements..];
        for (int first = 0; first < Elements; first += _group)
        {
            ReadOnlySpan<float> group = values[first..Math.Min(first + _group, Elements)];
            float magnitude = SegmentElements.LargestMagnitude(group, out int largest);
            float scale = Scale(magnitude);

            // Rounding may take the very largest floats beyond the range: what is stored has to be finite too.
            if (!float.IsFinite(magnitude) || !float.IsFinite(Float8E4M3.ToSingle(Float8E4M3.FromSingle(magnitude / scale)) * scale))
            {
                return first + largest;
            }

            for (int i = 0; i < group.Length; i++)
            {
                destination[first + i] = Float8E4M3.FromSingle(group[i] / scale);
            }

            BinaryPrimitives.WriteSingleLittleEndian(scales[(sizeof(float) * (first / _group))..], scale);
        }

        return -1;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Decode(ref byte source, nint sourceStride, int count, ref float destination, nint destinationStride)
    {
        for (int row = 0; row < count; row++)
        {
            ref byte scale = ref Unsafe.Add(ref source, Elements);
            for (int first = 0; first < Elements; first += _group)
            {
                int end = Math.Min(first + _group, Elements);
                float factor = Unsafe.ReadUnaligned<float>(ref scale);
                V factors = V.Broadcast(factor);
                int i = first;
                for (; i <= end - V.Count; i += V.Count)
                {
                    V.Store(V.Multiply(V.LoadFloat8(ref Unsafe.Add(ref source, i)), factors), ref Unsafe.Add(ref destination, i));
                }

                for (; i < end; i++)
                {
                    Unsafe.Add(ref destination, i) = Float8E4M3.ToSingle(Unsafe.Add(ref source, i)) * factor;
                }

                scale = ref Unsafe.Add(ref scale, sizeof(float));
            }

            source = ref Unsafe.Add(ref source, sourceStride);
            destination = ref Unsafe.Add(ref destination, destinationStride);
        }
    }

    /// <summary>The least power of two, out of exponent bits, that brings the group into e4m3's range.</summary>
    private static float Scale(float magnitude)
    {
        uint bits = BitConverter.SingleToUInt32Bits(Math.Max(magnitude / Largest, LeastScale));
        return BitConverter.UInt32BitsToSingle((bits + ((1u << MantissaBits) - 1)) >> MantissaBits << MantissaBits);
    }
}
