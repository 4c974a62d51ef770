using Xunit.Sdk;

namespace MlaGen.Tests.Oracles;

public sealed class CompareTests
{
    private static readonly Tolerance _tolerance = new(1e-3, 1e-3, 1e-2);

    [Theory]
    [InlineData(new[] { 1f, 0f }, new[] { 1.0, 0 })]
    [InlineData(new[] { 1f, 0.0009f }, new[] { 1.0, 0 })]
    [InlineData(new[] { 1000f, 0.505f }, new[] { 1000.0, 0.5 })]
    [InlineData(new[] { float.NaN, float.PositiveInfinity, float.NegativeInfinity }, new[] { double.NaN, double.PositiveInfinity, double.NegativeInfinity })]
    [InlineData(new float[0], new double[0])]
    public void What_is_near_enough_passes(float[] actual, double[] expected)
        => Assert.Null(Compare.Explain<float, double>(actual, expected, _tolerance));

    [Theory]
    [InlineData(new[] { 1f }, new[] { 1.0, 0 }, "1 elements, expected 2")]
    [InlineData(new[] { 1000f, 0.02f }, new[] { 1000.0, 0 }, "element 1 is")]
    [InlineData(new[] { 1.005f, 1.005f }, new[] { 1.0, 1 }, "relative error 5.0")]
    [InlineData(new[] { 1f, float.NaN }, new[] { 1.0, 0 }, "element 1 is NaN")]
    [InlineData(new[] { 1f, 0f }, new[] { 1.0, double.NaN }, "expected NaN")]
    [InlineData(new[] { 1f, 1e30f }, new[] { 1.0, double.PositiveInfinity }, "expected Infinity")]
    [InlineData(new[] { float.NegativeInfinity }, new[] { double.PositiveInfinity }, "element 0 is -Infinity")]
    [InlineData(new[] { 0.0005f }, new[] { 0.0 }, "relative error Infinity")]
    public void What_is_not_is_explained(float[] actual, double[] expected, string problem)
    {
        Assert.Contains(problem, Compare.Explain<float, double>(actual, expected, _tolerance), StringComparison.Ordinal);
        Assert.Throws<XunitException>(() => Compare.AssertClose<float, double>("it", actual, expected, _tolerance));
    }

    [Fact]
    public void Tolerances_grow_with_scores_beyond_sixteen()
    {
        Assert.Equal(_tolerance, _tolerance.ForScores(-16));
        Assert.Equal(new Tolerance(2e-3, 2e-3, 2e-2), _tolerance.ForScores(-32));
    }

    [Fact]
    public void Bits_tell_minus_zero_from_zero_and_a_number_from_its_neighbour()
    {
        Compare.AssertSameBits("it", [1f, -0f, float.NaN], [1f, -0f, float.NaN]);
        Assert.Throws<XunitException>(() => Compare.AssertSameBits("it", [1f, -0f], [1f, 0f]));
        Assert.Throws<XunitException>(() => Compare.AssertSameBits("it", [1f], [MathF.BitIncrement(1f)]));
        Assert.Throws<XunitException>(() => Compare.AssertSameBits("it", [1f], [1f, 2f]));
    }
}
