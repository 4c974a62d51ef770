using System.Buffers.Binary;
using System.Runtime.CompilerServices;

namespace MlaGen.Runtime;

/// <summary>
/// Latents in e4m3 with a scale for each group of min(128, R), the last group shorter where R is no multiple; the rotary key in bf16.
/// DeepSeek's fp8 cache as FlashMLA lays it out.
/// </summary>
/// <remarks>
/// With G = ⌈R / min(128, R)⌉:
/// <code>
/// 0       R    latent, e4m3: nearest even to value / scale
/// R       4G   scale of each group, float: 2^⌈log2(max(largest magnitude / 448, 1e-4))⌉
/// R + 4G  2d   rotary key, bf16
/// </code>
/// </remarks>
internal sealed class Float8RowCodec<V> : RowCodec
    where V : struct, ILanes<V>
{
    private const float Largest = 448;
    private const float LeastScale = 1e-4f;
    private const int MantissaBits = 23;

    private readonly int _group;
    private readonly int _ropeOffset;

    public Float8RowCodec(int latent, int rope)
        : base(CacheFormat.Float8, latent, rope, latent + (sizeof(float) * RowElements.Groups(latent, 128)) + (sizeof(ushort) * rope))
    {
        _group = Math.Min(128, latent);
        _ropeOffset = RowBytes - (sizeof(ushort) * rope);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    protected override void Encode(ReadOnlySpan<float> row, Span<byte> destination, int token)
    {
        Span<byte> scales = destination[Latent.._ropeOffset];
        for (int first = 0; first < Latent; first += _group)
        {
            ReadOnlySpan<float> values = row[first..Math.Min(first + _group, Latent)];
            float magnitude = RowElements.LargestMagnitude(values, out int largest);
            float scale = Scale(magnitude);

            // Rounding may take the very largest floats beyond the range: what is stored has to be finite too.
            if (!float.IsFinite(magnitude) || !float.IsFinite(Float8E4M3.ToSingle(Float8E4M3.FromSingle(magnitude / scale)) * scale))
            {
                ThrowOverflow(row, first + largest, token);
            }

            for (int i = 0; i < values.Length; i++)
            {
                destination[first + i] = Float8E4M3.FromSingle(values[i] / scale);
            }

            BinaryPrimitives.WriteSingleLittleEndian(scales[(sizeof(float) * (first / _group))..], scale);
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
                float factor = Unsafe.ReadUnaligned<float>(ref scale);
                V factors = V.Broadcast(factor);
                int i = first;
                for (; i <= end - V.Count; i += V.Count)
                {
                    V.Store(V.Multiply(V.LoadFloat8(ref Unsafe.Add(ref rows, i)), factors), ref Unsafe.Add(ref destination, i));
                }

                for (; i < end; i++)
                {
                    Unsafe.Add(ref destination, i) = Float8E4M3.ToSingle(Unsafe.Add(ref rows, i)) * factor;
                }

                scale = ref Unsafe.Add(ref scale, sizeof(float));
            }

            RowElements.DecodeBFloat16<V>(ref Unsafe.Add(ref rows, _ropeOffset), Rope, ref Unsafe.Add(ref destination, Latent));
            rows = ref Unsafe.Add(ref rows, RowBytes);
            destination = ref Unsafe.Add(ref destination, Elements);
        }
    }

    /// <summary>The least power of two, out of exponent bits, that brings the group into e4m3's range.</summary>
    private static float Scale(float magnitude)
    {
        uint bits = BitConverter.SingleToUInt32Bits(Math.Max(magnitude / Largest, LeastScale));
        return BitConverter.UInt32BitsToSingle((bits + ((1u << MantissaBits) - 1)) >> MantissaBits << MantissaBits);
    }
}
