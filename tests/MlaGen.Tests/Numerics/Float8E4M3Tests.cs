using MlaGen.Runtime;

namespace MlaGen.Tests.Numerics;

public class Float8E4M3Tests
{
    [Fact]
    public void Every_code_has_the_value_its_bits_define_and_comes_back()
    {
        for (int code = 0; code <= byte.MaxValue; code++)
        {
            float value = Float8E4M3.ToSingle((byte)code);
            double expected = ReferenceFormats.E4M3(code);
            Assert.Equal(expected, value);
            if (!double.IsNaN(expected))
            {
                Assert.Equal(double.IsNegative(expected), float.IsNegative(value));
                Assert.Equal(code, Float8E4M3.FromSingle(value));
            }
        }
    }

    [Theory]
    [InlineData(0x00, 0.0)]
    [InlineData(0x01, 0.001953125)]
    [InlineData(0x07, 0.013671875)]
    [InlineData(0x08, 0.015625)]
    [InlineData(0x38, 1.0)]
    [InlineData(0x7E, 448.0)]
    [InlineData(0xFE, -448.0)]
    [InlineData(0x7F, double.NaN)]
    [InlineData(0xFF, double.NaN)]
    public void The_published_corner_values_hold(int code, double value) => Assert.Equal(value, Float8E4M3.ToSingle((byte)code));

    [Fact]
    public void Every_value_goes_to_the_nearest_code_a_tie_to_the_even_one_and_beyond_448_to_NaN()
    {
        // 0x7F stands in for 480, which the next code would mean if it were not NaN.
        double[] magnitudes = [.. Enumerable.Range(0, 0x7F).Select(ReferenceFormats.E4M3), 480];
        for (int upper = 0; upper < 0x7F80; upper++)
        {
            foreach (uint lower in new uint[] { 0, 1, 0xFFFF })
            {
                float value = BitConverter.UInt32BitsToSingle(((uint)upper << 16) | lower);
                int expected = Nearest(magnitudes, Math.Min(value, 480));
                if (Float8E4M3.FromSingle(value) != expected || Float8E4M3.FromSingle(-value) != (expected | 0x80))
                {
                    Assert.Fail($"{value:R}: expected 0x{expected:X2}, found 0x{Float8E4M3.FromSingle(value):X2}");
                }
            }
        }
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    [InlineData(float.NegativeInfinity)]
    [InlineData(float.MaxValue)]
    public void What_is_not_finite_or_too_large_becomes_NaN(float value) => Assert.Equal(0x7F, Float8E4M3.FromSingle(value) & 0x7F);

    private static int Nearest(double[] magnitudes, double value)
    {
        int best = 0;
        for (int code = 1; code < magnitudes.Length; code++)
        {
            double nearer = Math.Abs(magnitudes[best] - value) - Math.Abs(magnitudes[code] - value);
            best = nearer > 0 || (nearer == 0 && code % 2 == 0) ? code : best;
        }

        return best;
    }
}
