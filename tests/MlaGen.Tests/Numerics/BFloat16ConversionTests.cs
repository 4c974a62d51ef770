using MlaGen.Runtime;

namespace MlaGen.Tests.Numerics;

public class BFloat16ConversionTests
{
    [Fact]
    public void Every_code_has_the_value_its_bits_define_and_comes_back()
    {
        for (int code = 0; code <= ushort.MaxValue; code++)
        {
            float value = BFloat16Conversion.ToSingle((ushort)code);
            double expected = ReferenceFormats.Value(code, 8, 7);
            Assert.Equal(expected, value);
            Assert.Equal(code >= 0x8000, float.IsNegative(value));
            int back = BFloat16Conversion.FromSingle(value);
            Assert.Equal(double.IsNaN(expected) ? code | 0x40 : code, back);
        }
    }

    [Fact]
    public void Between_two_codes_a_value_goes_to_the_nearer_and_a_tie_to_the_even_one()
    {
        for (int code = 0; code < 0x7F80; code++)
        {
            foreach (uint rest in new uint[] { 1, 0x7FFF, 0x8000, 0x8001, 0xFFFF })
            {
                float value = BitConverter.UInt32BitsToSingle(((uint)code << 16) | rest);
                int expected = ReferenceFormats.NearestBFloat16(value);
                if (BFloat16Conversion.FromSingle(value) != expected || BFloat16Conversion.FromSingle(-value) != (expected | 0x8000))
                {
                    Assert.Fail($"{value:R}: expected 0x{expected:X4}, found 0x{BFloat16Conversion.FromSingle(value):X4}");
                }
            }
        }
    }

    [Theory]
    [InlineData(0x7F800001u, 0x7FC0)]
    [InlineData(0xFF800001u, 0xFFC0)]
    [InlineData(0x7FFFFFFFu, 0x7FFF)]
    [InlineData(0x7F7FFFFFu, 0x7F80)]
    [InlineData(0x7F800000u, 0x7F80)]
    public void A_NaN_stays_a_NaN_and_what_is_too_large_becomes_infinite(uint bits, int expected) =>
        Assert.Equal(expected, BFloat16Conversion.FromSingle(BitConverter.UInt32BitsToSingle(bits)));
}
