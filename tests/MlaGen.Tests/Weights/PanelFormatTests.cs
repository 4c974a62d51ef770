using MlaGen.Runtime;

namespace MlaGen.Tests.Weights;

public class PanelFormatTests
{
    [Fact]
    public void Every_format_is_listed_once_and_found_by_its_type()
    {
        Dictionary<string, Type[]> choices = new()
        {
            ["G"] = [typeof(Groups32), typeof(Groups64)],
            ["S"] = [typeof(BFloat16Scales), typeof(Float16Scales)],
        };
        IEnumerable<Type> formats = typeof(IPanelFormat).Assembly.GetTypes().Where(static type => type.IsValueType && type.IsAssignableTo(typeof(IPanelFormat))).SelectMany(Closed);

        Assert.Equal(formats.ToHashSet(), PanelFormats.All.Select(static products => products.GetType().GetGenericArguments()[1]).ToHashSet());
        Assert.Distinct(PanelFormats.All.Select(static products => products.Name));
        Assert.All(PanelFormats.All.Where(static products => products.Type != TensorType.Int32), static products => Assert.Same(products, products.IsStored ? PanelFormats.Of(products.Type) : PanelFormats.Of(products.Format)));
        Assert.Equal(
            PanelFormats.All.Where(static products => products.Type == TensorType.Int32),
            new[] { (32, TensorType.BFloat16), (64, TensorType.BFloat16), (32, TensorType.Float16), (64, TensorType.Float16) }.Select(static format => PanelFormats.OfStoredInt4(format.Item1, format.Item2)));
        Assert.Equal(Enum.GetValues<WeightFormat>().ToHashSet(), PanelFormats.All.Select(static products => products.Format).ToHashSet());

        IEnumerable<Type> Closed(Type type) => type.GetGenericArguments() switch
        {
            [] => [type],
            [Type first] => choices[first.Name].Select(argument => type.MakeGenericType(argument)),
            [Type first, Type second] => choices[first.Name].SelectMany(_ => choices[second.Name], (left, right) => type.MakeGenericType(left, right)),
            _ => throw new NotSupportedException(),
        };
    }

    [Fact]
    public void A_type_without_a_format_is_refused_with_those_that_have_one()
    {
        ArgumentOutOfRangeException error = Assert.Throws<ArgumentOutOfRangeException>("type", static () => PackedMatrix.Pack(1, 1, TensorType.Float64, static (_, _, _) => { }));

        Assert.All(PanelFormats.All.Where(static products => products.IsStored), products => Assert.Contains(products.Type.ToString(), error.Message, StringComparison.Ordinal));
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
