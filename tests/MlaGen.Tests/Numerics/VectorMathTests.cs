using System.Runtime.Intrinsics;
using MlaGen.Runtime;

namespace MlaGen.Tests.Numerics;

public sealed class VectorMathTests
{
    /// <summary>Every NaN there is room for: quiet, signalling, of either sign, with any bits below.</summary>
    [Fact]
    public void The_exponential_of_what_is_not_a_number_is_none()
    {
        for (uint bits = 1; bits < 1 << 23; bits += 12_345)
        {
            foreach (uint sign in (uint[])[0, 0x8000_0000])
            {
                float x = BitConverter.UInt32BitsToSingle(sign | 0x7F80_0000 | bits);
                Assert.All(All(x), value => Assert.True(float.IsNaN(value), $"{sign | bits:x}: {value}"));
            }
        }
    }

    [Fact]
    public void The_exponential_is_close_exact_at_its_ends_and_the_same_in_every_lane()
    {
        Assert.All(All(0), value => Assert.Equal(1, value));
        Assert.All(All(float.NegativeInfinity), value => Assert.Equal(0, value));
        Assert.All(All(-87.4f), value => Assert.Equal(0, value));
        for (float x = -87.3f; x < 0; x += 0.0371f)
        {
            float[] values = All(x);
            Assert.Equal(1, values[0] / Math.Exp(x), 6e-7);
            if (Vector128.IsHardwareAccelerated)
            {
                Assert.All(values, value => Assert.Equal(values[0], value));
            }
        }
    }

    /// <summary>Of both signs, as far out as there are numbers: 0, 1 and nothing else where the exponential has no more digits.</summary>
    [Fact]
    public void The_sigmoid_is_close_exact_at_its_ends_and_the_same_in_every_lane()
    {
        Assert.All(Sigmoids(0), value => Assert.Equal(0.5f, value));
        Assert.All(Sigmoids(-0f), value => Assert.Equal(0.5f, value));
        Assert.All(new[] { 20f, 1e30f, float.PositiveInfinity }.SelectMany(Sigmoids), value => Assert.Equal(1, value));
        Assert.All(new[] { -90f, -1e30f, float.NegativeInfinity }.SelectMany(Sigmoids), value => Assert.Equal(0, value));
        Assert.All(Sigmoids(float.NaN), value => Assert.True(float.IsNaN(value)));
        for (float x = -87.3f; x < 30; x += 0.0371f)
        {
            float[] values = Sigmoids(x);
            Assert.Equal(1, values[0] * (1 + Math.Exp(-x)), 7e-7);
            if (Vector128.IsHardwareAccelerated)
            {
                Assert.All(values, value => Assert.Equal(values[0], value));
            }
        }
    }

    private static float[] Sigmoids(float x)
    {
        float[] values = new float[1 + 4 + 8 + 16];
        values[0] = VectorMath.Sigmoid(x);
        VectorMath.Sigmoid(Vector128.Create(x)).CopyTo(values, 1);
        VectorMath.Sigmoid(Vector256.Create(x)).CopyTo(values, 5);
        VectorMath.Sigmoid(Vector512.Create(x)).CopyTo(values, 13);
        return values;
    }

    private static float[] All(float x)
    {
        float[] values = new float[1 + 4 + 8 + 16];
        values[0] = VectorMath.Exp(x);
        VectorMath.Exp(Vector128.Create(x)).CopyTo(values, 1);
        VectorMath.Exp(Vector256.Create(x)).CopyTo(values, 5);
        VectorMath.Exp(Vector512.Create(x)).CopyTo(values, 13);
        return values;
    }
}
