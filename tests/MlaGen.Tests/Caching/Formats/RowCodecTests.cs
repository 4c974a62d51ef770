using MlaGen.Runtime;
using MlaGen.Tests.Golden;
using MlaGen.Tests.Oracles;

namespace MlaGen.Tests.Caching.Formats;

/// <summary>Bytes and values of cached rows, against <see cref="ReferenceRow"/>.</summary>
public sealed class RowCodecTests
{
    /// <summary>Widths with and without a short last group, of vectors and of none, an odd one included.</summary>
    private static readonly (int Latent, int Rope)[] _widths = [(512, 64), (64, 16), (96, 8), (100, 6), (160, 64), (97, 2), (1, 0), (3, 2), (300, 0)];

    public static TheoryData<CacheFormat> Formats => [.. Enum.GetValues<CacheFormat>()];

    public static TheoryData<CacheFormat> Quantised => [CacheFormat.Float8, CacheFormat.Int8];

    [Theory]
    [InlineData(CacheFormat.Float32, 512, 64, 2304)]
    [InlineData(CacheFormat.BFloat16, 512, 64, 1152)]
    [InlineData(CacheFormat.Float16, 512, 64, 1152)]
    [InlineData(CacheFormat.Float8, 512, 64, 656)]
    [InlineData(CacheFormat.Int8, 512, 64, 656)]
    [InlineData(CacheFormat.Int8, 64, 16, 98)]
    [InlineData(CacheFormat.Float8, 64, 16, 100)]
    [InlineData(CacheFormat.Float8, 129, 0, 137)]
    [InlineData(CacheFormat.Int8, 65, 2, 73)]
    public void A_row_takes_as_many_bytes_as_its_layout_says(CacheFormat format, int latent, int rope, int bytes)
        => Assert.Equal(bytes, RowCodec.Create<Lanes1>(format, latent, rope).RowBytes);

    [Theory]
    [MemberData(nameof(Formats))]
    public void Rows_are_encoded_to_the_byte_and_decoded_to_the_bit_on_every_tier(CacheFormat format)
    {
        foreach ((int latent, int rope) in _widths)
        {
            float[][] rows = [.. Rows(latent, rope)];
            byte[] expected = [.. rows.SelectMany(row => ReferenceRow.Encode(format, row, latent))];
            float[] decoded = [.. expected.Chunk(expected.Length / rows.Length).SelectMany(row => ReferenceRow.Decode(format, row, latent, rope))];
            foreach (RowCodec codec in Tiers(format, latent, rope))
            {
                byte[] bytes = [.. rows.SelectMany(row => Encode(codec, row))];
                Assert.Equal(expected, bytes);

                float[] values = new float[rows.Length * codec.Elements];
                codec.DecodeRows(bytes, rows.Length, values);
                Compare.AssertSameBits($"{codec.GetType().Name}, {latent} + {rope}", values, decoded);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Formats))]
    public void What_was_decoded_encodes_to_the_same_values(CacheFormat format)
    {
        foreach ((int latent, int rope) in _widths)
        {
            RowCodec codec = RowCodec.Create<Lanes256>(format, latent, rope);
            foreach (float[] row in Rows(latent, rope))
            {
                float[] once = Decode(codec, Encode(codec, row));
                Compare.AssertClose<float, float>("twice", Decode(codec, Encode(codec, once)), once, new Tolerance(1e-3, 1e-3 * row.Max(Math.Abs), 1e-3));
            }
        }
    }

    [Theory]
    [InlineData(CacheFormat.Float32, 0)]
    [InlineData(CacheFormat.BFloat16, 0.004)]
    [InlineData(CacheFormat.Float16, 0.0005)]
    [InlineData(CacheFormat.Float8, 0.04)]
    [InlineData(CacheFormat.Int8, 0.01)]
    public void A_row_comes_back_as_well_as_its_format_can(CacheFormat format, double error)
    {
        float[] row = CounterRandom.Hidden("round trip", 1, 576);
        RowCodec codec = RowCodec.Create<Lanes256>(format, 512, 64);
        Assert.InRange(Compare.RelativeError<float, float>(Decode(codec, Encode(codec, row)), row), error / 8, error);
    }

    [Theory]
    [MemberData(nameof(Formats))]
    public void A_zero_row_decodes_to_zeros(CacheFormat format)
    {
        RowCodec codec = RowCodec.Create<Lanes256>(format, 100, 6);
        Assert.All(Decode(codec, Encode(codec, new float[106])), value => Assert.Equal(0, BitConverter.SingleToInt32Bits(value)));
    }

    /// <summary>An outlier takes the precision of its own group, and of no other.</summary>
    [Theory]
    [MemberData(nameof(Quantised))]
    public void An_outlier_costs_its_group_alone(CacheFormat format)
    {
        float[] row = CounterRandom.Hidden("outlier", 1, 320);
        RowCodec codec = RowCodec.Create<Lanes256>(format, 256, 64);
        float[] before = Decode(codec, Encode(codec, row));
        row[5] = 9000;
        float[] after = Decode(codec, Encode(codec, row));

        Assert.Equal(9000, after[5], 9000.0 / 16);
        Assert.NotEqual(before[..64], after[..64]);
        Compare.AssertSameBits("the other groups", after.AsSpan(128), before.AsSpan(128));
    }

    [Fact]
    public void An_int8_scale_below_the_range_of_fp16_stores_zeros()
    {
        float[] row = [.. Enumerable.Repeat(127 * 2.9e-8f, 64), .. Enumerable.Repeat(127 * 3.1e-8f, 64)];
        RowCodec codec = RowCodec.Create<Lanes256>(CacheFormat.Int8, 128, 0);
        byte[] bytes = Encode(codec, row);

        Assert.All(bytes[..64], code => Assert.Equal(0, code));
        Assert.All(bytes[64..128], code => Assert.NotEqual(0, code));
        Assert.Equal([0, 0, 1, 0], bytes[128..]);
    }

    [Theory]
    [InlineData(CacheFormat.Float16, 1, 65520f)]
    [InlineData(CacheFormat.Float16, 5, -1e6f)]
    [InlineData(CacheFormat.Float16, 5, float.NaN)]
    [InlineData(CacheFormat.BFloat16, 0, float.MaxValue)]
    [InlineData(CacheFormat.BFloat16, 4, float.NegativeInfinity)]
    [InlineData(CacheFormat.Float8, 1, float.NaN)]
    [InlineData(CacheFormat.Float8, 1, float.PositiveInfinity)]
    [InlineData(CacheFormat.Float8, 2, float.MaxValue)]
    [InlineData(CacheFormat.Float8, 5, float.NaN)]
    [InlineData(CacheFormat.Int8, 3, float.NaN)]
    [InlineData(CacheFormat.Int8, 3, 8.33e6f)]
    [InlineData(CacheFormat.Int8, 4, float.MaxValue)]
    public void A_value_that_does_not_fit_is_an_error_with_its_token(CacheFormat format, int element, float value)
    {
        RowCodec codec = RowCodec.Create<Lanes256>(format, 4, 2);
        float[] row = [1, 2, 3, 4, 5, 6];
        row[element] = value;
        OverflowException error = Assert.Throws<OverflowException>(() => codec.EncodeRow(row, new byte[codec.RowBytes], token: 41));
        Assert.Equal(
            FormattableString.Invariant($"Element {element} of token 41's cached row is {value:R}, which a cache of {format} cannot hold. Roll the step back, or choose another CacheFormat."),
            error.Message);
    }

    [Theory]
    [InlineData(CacheFormat.Float16, 65519f)]
    [InlineData(CacheFormat.BFloat16, 3.38e38f)]
    [InlineData(CacheFormat.Float8, 3.29e38f)]
    [InlineData(CacheFormat.Int8, 8.31e6f)]
    public void The_largest_values_of_a_format_fit(CacheFormat format, float value)
    {
        RowCodec codec = RowCodec.Create<Lanes256>(format, 4, 2);
        float[] decoded = Decode(codec, Encode(codec, [value, 2, -value, 4, 5, 6]));
        Assert.Equal(value, decoded[0], value / 16);
        Assert.Equal(-decoded[0], decoded[2]);
    }

    /// <summary>The rows end where memory does: one byte read beyond them ends the process.</summary>
    [Theory]
    [MemberData(nameof(Formats))]
    public void Rows_at_the_very_end_of_memory_are_read_and_written(CacheFormat format)
    {
        foreach ((int latent, int rope) in _widths)
        {
            foreach (RowCodec codec in Tiers(format, latent, rope))
            {
                using GuardedMemory memory = new(3 * codec.RowBytes);
                float[][] rows = [.. Rows(latent, rope).Take(3)];
                for (int i = 0; i < 3; i++)
                {
                    codec.EncodeRow(rows[i], memory.GetSpan().Slice(i * codec.RowBytes, codec.RowBytes), i);
                }

                float[] values = new float[3 * codec.Elements];
                codec.DecodeRows(memory.GetSpan(), 3, values);
                Assert.Equal([.. rows.SelectMany(row => ReferenceRow.Decode(format, ReferenceRow.Encode(format, row, latent), latent, rope))], values);
            }
        }
    }

    /// <summary>Whatever lies around a row, and wherever it begins, its values are the same and its neighbours' bytes stay.</summary>
    [Theory]
    [MemberData(nameof(Formats))]
    public void A_row_among_nan_is_the_same_at_any_place(CacheFormat format)
    {
        foreach ((int latent, int rope) in _widths)
        {
            float[] row = Rows(latent, rope).First();
            foreach (RowCodec codec in Tiers(format, latent, rope))
            {
                float[] expected = Decode(codec, Encode(codec, row));
                for (int place = 0; place < 20; place++)
                {
                    byte[] memory = new byte[codec.RowBytes + 100];
                    Array.Fill(memory, (byte)0xFF);
                    float[] values = new float[codec.Elements + 40];
                    Array.Fill(values, float.NaN);
                    codec.EncodeRow(row, memory.AsSpan(place, codec.RowBytes), 0);
                    codec.DecodeRows(memory.AsSpan(place, codec.RowBytes), 1, values.AsSpan(place, codec.Elements));

                    Compare.AssertSameBits("row", values.AsSpan(place, codec.Elements), expected);
                    Assert.All(values[..place].Concat(values[(place + codec.Elements)..]), value => Assert.True(float.IsNaN(value)));
                    Assert.All(memory[..place].Concat(memory[(place + codec.RowBytes)..]), value => Assert.Equal(0xFF, value));
                }
            }
        }
    }

    [Theory]
    [MemberData(nameof(Formats))]
    public void Lengths_that_are_not_whole_rows_are_refused(CacheFormat format)
    {
        RowCodec codec = RowCodec.Create<Lanes256>(format, 8, 2);
        Assert.Throws<ArgumentOutOfRangeException>(() => codec.EncodeRow(new float[9], new byte[codec.RowBytes], 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => codec.EncodeRow(new float[10], new byte[codec.RowBytes - 1], 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => codec.DecodeRows(new byte[(2 * codec.RowBytes) - 1], 2, new float[20]));
        Assert.Throws<ArgumentOutOfRangeException>(() => codec.DecodeRows(new byte[2 * codec.RowBytes], 2, new float[19]));
    }

    private static RowCodec[] Tiers(CacheFormat format, int latent, int rope) =>
    [
        RowCodec.Create<Lanes1>(format, latent, rope),
        RowCodec.Create<Lanes128>(format, latent, rope),
        RowCodec.Create<Lanes256>(format, latent, rope),
        RowCodec.Create<Lanes512>(format, latent, rope),
    ];

    /// <summary>Random rows of several magnitudes, zeros, ties between codes, every e4m3 code, one outlier.</summary>
    private static IEnumerable<float[]> Rows(int latent, int rope)
    {
        int width = latent + rope;
        foreach (float magnitude in (float[])[1, 1e-3f, 300])
        {
            yield return [.. CounterRandom.Hidden($"rows of {magnitude}", 1, width).Select(value => value * magnitude)];
        }

        yield return new float[width];

        // The scale of int8 becomes 1, and all but the first value lie midway between two codes.
        yield return [.. Enumerable.Range(0, width).Select(i => i % 64 == 0 ? 127 : (i % 64) - 32.5f)];

        // The scale of fp8 becomes 1: denormals, normals and the points midway between them.
        yield return [.. Enumerable.Range(0, width).Select(i => i % 128 == 0 ? 448 : (i % 2 == 0 ? -1 : 1) * MathF.ScaleB(8 + ((i / 2 % 16) / 2f), -(i % 13) - 3))];

        float[] outlier = CounterRandom.Hidden("one outlier", 1, width);
        outlier[latent / 2] = 5000;
        yield return outlier;

        // Denormal and barely normal scales, for halves and for floats.
        yield return [.. CounterRandom.Hidden("small", 1, width).Select(value => value * 1e-5f)];
        yield return [.. CounterRandom.Hidden("tiny", 1, width).Select(value => value * 1e-39f)];
    }

    private static byte[] Encode(RowCodec codec, float[] row)
    {
        byte[] bytes = new byte[codec.RowBytes];
        codec.EncodeRow(row, bytes, 0);
        return bytes;
    }

    private static float[] Decode(RowCodec codec, byte[] bytes)
    {
        float[] values = new float[codec.Elements];
        codec.DecodeRows(bytes, 1, values);
        return values;
    }
}
