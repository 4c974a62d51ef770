using System.Buffers.Binary;
using MlaGen.Tests.Numerics;

namespace MlaGen.Tests.Caching.Formats;

/// <summary>Rows by the definition of each format: a code is found by its distance among all values of the format, nothing of the product's code.</summary>
internal static class ReferenceRow
{
    public static byte[] Encode(CacheFormat format, float[] row, int latent) => format switch
    {
        CacheFormat.Float32 => [.. row.SelectMany(Bytes)],
        CacheFormat.BFloat16 => BFloat16(row),
        CacheFormat.Float16 => Float16(row),
        CacheFormat.Float8 => [.. Float8(row[..latent]), .. BFloat16(row[latent..])],
        CacheFormat.Int8 => [.. Int8(row[..latent]), .. BFloat16(row[latent..])],
        _ => throw new ArgumentOutOfRangeException(nameof(format)),
    };

    public static float[] Decode(CacheFormat format, byte[] row, int latent, int rope)
    {
        var values = new float[latent + rope];
        int group = Math.Min(format == CacheFormat.Float8 ? 128 : 64, latent);
        int groups = (latent + group - 1) / group;
        for (int i = 0; i < values.Length; i++)
        {
            bool isLatent = i < latent;
            values[i] = (float)(format switch
            {
                CacheFormat.Float32 => BinaryPrimitives.ReadSingleLittleEndian(row.AsSpan(4 * i)),
                CacheFormat.BFloat16 => ReferenceFormats.Value(Word(2 * i), 8, 7),
                CacheFormat.Float16 => ReferenceFormats.Value(Word(2 * i), 5, 10),
                CacheFormat.Float8 when isLatent => ReferenceFormats.E4M3(row[i]) * BinaryPrimitives.ReadSingleLittleEndian(row.AsSpan(latent + (4 * (i / group)))),
                CacheFormat.Int8 when isLatent => (sbyte)row[i] * ReferenceFormats.Value(Word(latent + (2 * (i / group))), 5, 10),
                _ => ReferenceFormats.Value(Word(row.Length - (2 * (values.Length - i))), 8, 7),
            });
        }

        return values;

        int Word(int offset) => row[offset] | (row[offset + 1] << 8);
    }

    private static byte[] Bytes(float value)
    {
        byte[] bytes = new byte[4];
        BinaryPrimitives.WriteSingleLittleEndian(bytes, value);
        return bytes;
    }

    private static byte[] BFloat16(float[] values) => [.. values.SelectMany(value => Word(ReferenceFormats.NearestBFloat16(value)))];

    private static byte[] Float16(float[] values) => [.. values.SelectMany(value => Word(NearestHalf(value)))];

    private static byte[] Float8(float[] latent)
    {
        float[][] groups = [.. latent.Chunk(Math.Min(128, latent.Length))];
        double[] scales = [.. groups.Select(group => Math.Pow(2, Math.Ceiling(Math.Log2(Math.Max(group.Max(Math.Abs) / 448.0, 1e-4)))))];
        return
        [
            .. groups.SelectMany((group, i) => group.Select(value => (byte)Nearest(value / scales[i], 0x7E, 0x80, ReferenceFormats.E4M3))),
            .. scales.SelectMany(scale => Bytes((float)scale)),
        ];
    }

    private static byte[] Int8(float[] latent)
    {
        float[][] groups = [.. latent.Chunk(Math.Min(64, latent.Length))];
        int[] scales = [.. groups.Select(group => NearestHalf(group.Max(Math.Abs) / 127f))];
        return
        [
            .. groups.SelectMany((group, i) => group.Select(value => (byte)Integer(value, (float)ReferenceFormats.Value(scales[i], 5, 10)))),
            .. scales.SelectMany(Word),
        ];
    }

    private static sbyte Integer(float value, float scale)
    {
        if (scale == 0)
        {
            return 0;
        }

        float quotient = value / scale;
        int[] codes = [.. Enumerable.Range(-127, 255)];
        return (sbyte)codes.MinBy(code => (Math.Abs((double)quotient - code), code & 1));
    }

    private static int NearestHalf(double value) => Nearest(value, 0x7BFF, 0x8000, code => ReferenceFormats.Value(code, 5, 10));

    private static byte[] Word(int code) => [(byte)code, (byte)(code >> 8)];

    /// <summary>The code of the nearest value, ties to the even code; codes of positive values rise with them.</summary>
    private static int Nearest(double value, int last, int signBit, Func<int, double> valueOf)
    {
        double magnitude = Math.Abs(value);
        int low = 0;
        int high = last;
        while (low < high)
        {
            int middle = (low + high + 1) / 2;
            (low, high) = valueOf(middle) <= magnitude ? (middle, high) : (low, middle - 1);
        }

        int nearest = low < last && (magnitude - valueOf(low), low & 1).CompareTo((valueOf(low + 1) - magnitude, (low + 1) & 1)) > 0 ? low + 1 : low;
        return nearest | (double.IsNegative(value) ? signBit : 0);
    }
}
