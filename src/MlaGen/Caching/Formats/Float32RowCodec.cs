using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace MlaGen.Runtime;

/// <summary>Rows as they are: kernels read them where they lie.</summary>
/// <remarks>
/// <code>
/// 0   4R   latent, float
/// 4R  4d   rotary key, float
/// </code>
/// </remarks>
internal sealed class Float32RowCodec(int latent, int rope) : RowCodec(CacheFormat.Float32, latent, rope, sizeof(float) * (latent + rope))
{
    public override bool HoldsFloats => true;

    protected override void Encode(ReadOnlySpan<float> row, Span<byte> destination, int token) => MemoryMarshal.AsBytes(row).CopyTo(destination);

    protected override void Decode(ref byte rows, int count, ref float destination) =>
        MemoryMarshal.CreateReadOnlySpan(ref rows, count * RowBytes).CopyTo(MemoryMarshal.CreateSpan(ref Unsafe.As<float, byte>(ref destination), count * RowBytes));
}
