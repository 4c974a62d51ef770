using MlaGen.Runtime;
using MlaGen.Tests.Golden;

namespace MlaGen.Tests.Numerics;

/// <summary>Rows beside each other in a panel, whichever way they are turned.</summary>
public sealed class PanelPackingTests
{
    [Theory]
    [InlineData(16, 16, 32)]
    [InlineData(16, 16, 33)]
    [InlineData(16, 13, 32)]
    [InlineData(32, 32, 48)]
    [InlineData(48, 37, 192)]
    [InlineData(8, 8, 16)]
    [InlineData(5, 3, 7)]
    public void Every_element_stands_in_its_lane_times_the_scale_and_the_rest_is_zero(int width, int count, int depth)
    {
        const float Scale = 0.3f;
        const int Apart = 5;
        int stride = depth + Apart;
        float[] rows = CounterRandom.Hidden("rows", count, stride);
        float[] panel = [.. Enumerable.Repeat(float.NaN, (depth * width) + 1)];

        PanelPacking.Pack(ref rows[0], stride, count, depth, Scale, ref panel[0], width);

        float[] expected = [.. from d in Enumerable.Range(0, depth) from lane in Enumerable.Range(0, width) select lane < count ? rows[(lane * stride) + d] * Scale : 0, float.NaN];
        Assert.Equal(expected, panel);
    }
}
