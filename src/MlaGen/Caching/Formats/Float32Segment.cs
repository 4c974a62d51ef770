using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace MlaGen.Runtime;

/// <summary>Floats as they are: 4 bytes each.</summary>
internal sealed class Float32Segment(int elements) : SegmentCodec(elements, sizeof(float) * elements)
{
    public override bool HoldsFloats => true;

    public override int Encode(ReadOnlySpan<float> values, Span<byte> destination)
    {
        MemoryMarshal.AsBytes(values).CopyTo(destination);
        return -1;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Decode(ref byte source, nint sourceStride, int count, ref float destination, nint destinationStride)
    {
        for (int row = 0; row < count; row++)
        {
            MemoryMarshal.CreateReadOnlySpan(ref source, Bytes).CopyTo(MemoryMarshal.CreateSpan(ref Unsafe.As<float, byte>(ref destination), Bytes));
            source = ref Unsafe.Add(ref source, sourceStride);
            destination = ref Unsafe.Add(ref destination, destinationStride);
        }
    }
}
