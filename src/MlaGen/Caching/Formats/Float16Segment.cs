using System.Buffers.Binary;
using System.Runtime.CompilerServices;

namespace MlaGen.Runtime;

/// <summary>IEEE half precision, rounded to nearest even: 2 bytes each.</summary>
internal sealed class Float16Segment<V>(int elements) : SegmentCodec(elements, sizeof(ushort) * elements)
    where V : struct, ILanes<V>
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override int Encode(ReadOnlySpan<float> values, Span<byte> destination)
    {
        for (int i = 0; i < values.Length; i++)
        {
            Half half = (Half)values[i];
            if (!Half.IsFinite(half))
            {
                return i;
            }

            BinaryPrimitives.WriteHalfLittleEndian(destination[(sizeof(ushort) * i)..], half);
        }

        return -1;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Decode(ref byte source, nint sourceStride, int count, ref float destination, nint destinationStride)
    {
        for (int row = 0; row < count; row++)
        {
            SegmentElements.DecodeFloat16<V>(ref source, Elements, ref destination);
            source = ref Unsafe.Add(ref source, sourceStride);
            destination = ref Unsafe.Add(ref destination, destinationStride);
        }
    }
}
