using System.Buffers.Binary;
using System.Runtime.CompilerServices;

namespace MlaGen.Runtime;

/// <summary>Rows in IEEE half precision, rounded to nearest even.</summary>
/// <remarks>
/// <code>
/// 0   2R   latent, fp16
/// 2R  2d   rotary key, fp16
/// </code>
/// </remarks>
internal sealed class Float16RowCodec<V>(int latent, int rope) : RowCodec(CacheFormat.Float16, latent, rope, sizeof(ushort) * (latent + rope))
    where V : struct, ILanes<V>
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    protected override void Encode(ReadOnlySpan<float> row, Span<byte> destination, int token)
    {
        for (int i = 0; i < row.Length; i++)
        {
            Half half = (Half)row[i];
            if (!Half.IsFinite(half))
            {
                ThrowOverflow(row, i, token);
            }

            BinaryPrimitives.WriteHalfLittleEndian(destination[(sizeof(ushort) * i)..], half);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    protected override void Decode(ref byte rows, int count, ref float destination) => RowElements.DecodeFloat16<V>(ref rows, count * Elements, ref destination);
}
