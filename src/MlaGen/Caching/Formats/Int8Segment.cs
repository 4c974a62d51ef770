using System.Buffers.Binary;
using System.Runtime.CompilerServices;

namespace MlaGen.Runtime;

/// <summary>Symmetric 8-bit integers with a scale for each group of min(64, R) of R elements, the last group shorter where R is no multiple.</summary>
/// <remarks>
/// With G = ⌈R / min(64, R)⌉:
/// <code>
/// 0  R   elements, signed integers -127..127: nearest even to value / scale
/// R  2G  scale of each group, fp16: largest magnitude / 127, rounded; what is quantised is divided by the rounded one
/// </code>
/// A group whose scale rounds to zero is stored as zeros.
/// </remarks>
internal sealed class Int8Segment<V>(int elements) : SegmentCodec(elements, elements + (sizeof(ushort) * SegmentElements.Groups(elements, MostOfGroup)))
    where V : struct, ILanes<V>
{
    private const int MostOfGroup = 64;
    private const float Largest = sbyte.MaxValue;

    private readonly int _group = Math.Min(MostOfGroup, elements);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override int Encode(ReadOnlySpan<float> values, Span<byte> destination)
    {
        Span<byte> scales = destination[Elements..];
        for (int first = 0; first < Elements; first += _group)
        {
            ReadOnlySpan<float> group = values[first..Math.Min(first + _group, Elements)];
            Half scale = (Half)(SegmentElements.LargestMagnitude(group, out int largest) / Largest);
            if (!Half.IsFinite(scale))
            {
                return first + largest;
            }

            BinaryPrimitives.WriteHalfLittleEndian(scales[(sizeof(ushort) * (first / _group))..], scale);
            float divisor = (float)scale;
            for (int i = 0; i < group.Length; i++)
            {
                // A scale that was rounded down takes the largest values beyond 127.
                float code = divisor == 0 ? 0 : Math.Clamp(MathF.Round(group[i] / divisor), -Largest, Largest);
                destination[first + i] = (byte)(sbyte)code;
            }
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
                float factor = (float)Unsafe.ReadUnaligned<Half>(ref scale);
                V factors = V.Broadcast(factor);
                int i = first;
                for (; i <= end - V.Count; i += V.Count)
                {
                    V.Store(V.Multiply(V.LoadInt8(ref Unsafe.Add(ref source, i)), factors), ref Unsafe.Add(ref destination, i));
                }

                for (; i < end; i++)
                {
                    Unsafe.Add(ref destination, i) = (sbyte)Unsafe.Add(ref source, i) * factor;
                }

                scale = ref Unsafe.Add(ref scale, sizeof(ushort));
            }

            source = ref Unsafe.Add(ref source, sourceStride);
            destination = ref Unsafe.Add(ref destination, destinationStride);
        }
    }
}
