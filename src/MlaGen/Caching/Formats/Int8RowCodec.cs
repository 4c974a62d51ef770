using System.Buffers.Binary;
using System.Runtime.CompilerServices;

namespace MlaGen.Runtime;

/// <summary>
/// Latents as symmetric 8-bit integers with a scale for each group of min(64, R), the last group shorter where R is no multiple; the rotary
/// key in bf16.
/// </summary>
/// <remarks>
/// With G = ⌈R / min(64, R)⌉:
/// <code>
/// 0       R    latent, signed integers -127..127: nearest even to value / scale
/// R       2G   scale of each group, fp16: largest magnitude / 127, rounded; what is quantised is divided by the rounded one
/// R + 2G  2d   rotary key, bf16
/// </code>
/// A group whose scale rounds to zero is stored as zeros.
/// </remarks>
internal sealed class Int8RowCodec<V> : RowCodec
    where V : struct, ILanes<V>
{
    private const float Largest = sbyte.MaxValue;

    private readonly int _group;
    private readonly int _ropeOffset;

    public Int8RowCodec(int latent, int rope)
        : base(CacheFormat.Int8, latent, rope, latent + (sizeof(ushort) * (RowElements.Groups(latent, 64) + rope)))
    {
        _group = Math.Min(64, latent);
        _ropeOffset = RowBytes - (sizeof(ushort) * rope);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    protected override void Encode(ReadOnlySpan<float> row, Span<byte> destination, int token)
    {
        Span<byte> scales = destination[Latent.._ropeOffset];
        for (int first = 0; first < Latent; first += _group)
        {
            ReadOnlySpan<float> values = row[first..Math.Min(first + _group, Latent)];
            Half scale = (Half)(RowElements.LargestMagnitude(values, out int largest) / Largest);
            if (!Half.IsFinite(scale))
            {
                ThrowOverflow(row, first + largest, token);
            }

            BinaryPrimitives.WriteHalfLittleEndian(scales[(sizeof(ushort) * (first / _group))..], scale);
            float divisor = (float)scale;
            for (int i = 0; i < values.Length; i++)
            {
                // A scale that was rounded down takes the largest values beyond 127.
                float code = divisor == 0 ? 0 : Math.Clamp(MathF.Round(values[i] / divisor), -Largest, Largest);
                destination[first + i] = (byte)(sbyte)code;
            }
        }

        int bad = RowElements.EncodeBFloat16(row[Latent..], destination[_ropeOffset..]);
        if (bad >= 0)
        {
            ThrowOverflow(row, Latent + bad, token);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    protected override void Decode(ref byte rows, int count, ref float destination)
    {
        for (int row = 0; row < count; row++)
        {
            ref byte scale = ref Unsafe.Add(ref rows, Latent);
            for (int first = 0; first < Latent; first += _group)
            {
                int end = Math.Min(first + _group, Latent);
                float factor = (float)Unsafe.ReadUnaligned<Half>(ref scale);
                V factors = V.Broadcast(factor);
                int i = first;
                for (; i <= end - V.Count; i += V.Count)
                {
                    V.Store(V.Multiply(V.LoadInt8(ref Unsafe.Add(ref rows, i)), factors), ref Unsafe.Add(ref destination, i));
                }

                for (; i < end; i++)
                {
                    Unsafe.Add(ref destination, i) = (sbyte)Unsafe.Add(ref rows, i) * factor;
                }

                scale = ref Unsafe.Add(ref scale, sizeof(ushort));
            }

            RowElements.DecodeBFloat16<V>(ref Unsafe.Add(ref rows, _ropeOffset), Rope, ref Unsafe.Add(ref destination, Latent));
            rows = ref Unsafe.Add(ref rows, RowBytes);
            destination = ref Unsafe.Add(ref destination, Elements);
        }
    }
}
