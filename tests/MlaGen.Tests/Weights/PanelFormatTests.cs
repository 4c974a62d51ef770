using MlaGen.Runtime;

namespace MlaGen.Tests.Weights;

public class PanelFormatTests
{
    [Fact]
    public void Every_format_is_listed_once_and_found_by_its_type()
    {
        IEnumerable<Type> formats = typeof(IPanelFormat).Assembly.GetTypes().Where(static type => type.IsValueType && type.IsAssignableTo(typeof(IPanelFormat)))
            .SelectMany(static type => type.IsGenericType ? new[] { type.MakeGenericType(typeof(Groups32)), type.MakeGenericType(typeof(Groups64)) } : [type]);

        Assert.Equal(formats.ToHashSet(), PanelFormats.All.Select(static products => products.GetType().GetGenericArguments()[1]).ToHashSet());
        Assert.All(PanelFormats.All, static products => Assert.Same(products, products.Format == WeightFormat.Stored ? PanelFormats.Of(products.Type) : PanelFormats.Of(products.Format)));
        Assert.Equal(Enum.GetValues<WeightFormat>().ToHashSet(), PanelFormats.All.Select(static products => products.Format).ToHashSet());
    }

    [Fact]
    public void A_type_without_a_format_is_refused_with_those_that_have_one()
    {
        ArgumentOutOfRangeException error = Assert.Throws<ArgumentOutOfRangeException>("type", static () => PackedMatrix.Pack(1, 1, TensorType.Float64, static (_, _, _) => { }));

        Assert.All(PanelFormats.All.Where(static products => products.Format == WeightFormat.Stored), products => Assert.Contains(products.Type.ToString(), error.Message, StringComparison.Ordinal));
    }

    [Fact]
    public void A_format_with_more_scales_than_there_is_room_for_is_refused()
    {
        NotSupportedException error = Assert.Throws<NotSupportedException>(static () => new PanelProducts<Lanes1, Int8Panels<Groups16>>());

        Assert.Contains("16 depths", error.Message, StringComparison.Ordinal);
        Assert.Contains($"at least {ProjectionKernels.LeastGroupDepth}", error.Message, StringComparison.Ordinal);
    }

    private readonly struct Groups16 : IGroupSize
    {
        public static int Depth => 16;
    }
}
