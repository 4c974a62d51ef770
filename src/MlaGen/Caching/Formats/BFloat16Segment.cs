using System.Runtime.CompilerServices;

namespace MlaGen.Runtime;

/// <summary>bf16, rounded to nearest even: 2 bytes each.</summary>
internal sealed class BFloat16Segment<V>(int elements) : SegmentCodec(elements, sizeof(ushort) * elements)
    where V : struct, ILanes<V>
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override int Encode(ReadOnlySpan<float> values, Span<byte> destination) => SegmentElements.EncodeBFloat16(values, destination);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Decode(ref byte source, nint sourceStride, int count, ref float destination, nint destinationStride)
    {
        for (int row = 0; row < count; row++)
        {
            SegmentElements.DecodeBFloat16<V>(ref source, Elements, ref destination);
            source = ref Unsafe.Add(ref source, sourceStride);
            destination = ref Unsafe.Add(ref destination, destinationStride);
        }
    }
}
