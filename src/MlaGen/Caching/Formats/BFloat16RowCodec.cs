using System.Runtime.CompilerServices;

namespace MlaGen.Runtime;

/// <summary>Rows in bf16, rounded to nearest even.</summary>
/// <remarks>
/// <code>
/// 0   2R   latent, bf16
/// 2R  2d   rotary key, bf16
/// </code>
/// </remarks>
internal sealed class BFloat16RowCodec<V>(int latent, int rope) : RowCodec(CacheFormat.BFloat16, latent, rope, sizeof(ushort) * (latent + rope))
    where V : struct, ILanes<V>
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    protected override void Encode(ReadOnlySpan<float> row, Span<byte> destination, int token)
    {
        int bad = RowElements.EncodeBFloat16(row, destination);
        if (bad >= 0)
        {
            ThrowOverflow(row, bad, token);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    protected override void Decode(ref byte rows, int count, ref float destination) => RowElements.DecodeBFloat16<V>(ref rows, count * Elements, ref destination);
}
