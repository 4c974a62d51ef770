using Cluster.Planning;
using Cluster.Segments;

namespace MlaGen.Cluster.Tests;

/// <summary>The formulas against what classes and caches say of themselves.</summary>
public sealed class PlanTests
{
    private static readonly PlannedModel _story = PlannedModel.Story;
    private static readonly PlannedModel _deepSeek = PlannedModel.All.Single(static model => model.Name == "deepseek-v3");

    [Theory]
    [InlineData(CacheFormat.Float32)]
    [InlineData(CacheFormat.BFloat16)]
    [InlineData(CacheFormat.Float16)]
    [InlineData(CacheFormat.Float8)]
    [InlineData(CacheFormat.Int8)]
    public void Bytes_of_a_row_are_those_of_a_cache(CacheFormat format)
    {
        Assert.Equal(CacheLayout.Of<LongStoryAttention>(format).RowBytes, _story.RowBytes(format));
        Assert.Equal(CacheLayout.Of<WideAttention>(format).RowBytes, _deepSeek.RowBytes(format));
    }

    [Fact]
    public void Bytes_on_the_wire_grow_with_machines_and_not_with_the_context()
    {
        LinkPlan one = new(_deepSeek, 1, WireFormat.Float32, 1e9, 1e-3, 3e8);
        LinkPlan eight = one with { Machines = 8 };
        Assert.Equal(128 * 576 * 4, one.QueryBytes);
        Assert.Equal(128 * 513 * 4, one.OutputBytes);
        Assert.Equal(8 * (one.Bytes - (576 * 4)), eight.Bytes - (576 * 4));
        Assert.Equal(1e-3 + (one.Bytes * 8 / 1e9) + (one.Bytes / 3e8), one.NetworkTime, 1e-12);
        Assert.Equal(1e-3 + (eight.Bytes * 8 / 1e9) + (eight.Bytes / 3e8), eight.NetworkTime, 1e-12);
        Assert.Equal(2 * one.AttentionTime(4096, CacheFormat.Float8, 1e11, double.PositiveInfinity), one.AttentionTime(8192, CacheFormat.Float8, 1e11, double.PositiveInfinity), 1e-12);
        Assert.Equal(1000 * 656 / 1e11, one.AttentionTime(1000, CacheFormat.Float8, 1e11, double.PositiveInfinity), 1e-12);
        Assert.Equal(1000 * _deepSeek.Operations / 1e12, one.AttentionTime(1000, CacheFormat.Float8, 1e15, 1e12), 1e-12);
    }

    [Fact]
    public void Halves_on_the_wire_halve_what_travels_but_for_logarithms()
    {
        LinkPlan plan = new(_deepSeek, 4, WireFormat.BFloat16, 1e9, 0, 1e9);
        Assert.Equal(128 * 576 * 2, plan.QueryBytes);
        Assert.Equal(128 * ((512 * 2) + 4), plan.OutputBytes);
    }
}
