using MlaGen.Runtime;

namespace MlaGen.Tests.Weights;

public class PanelFormatTests
{
    [Fact]
    public void Every_format_is_listed_once_and_found_by_its_type()
    {
        IEnumerable<Type> formats = typeof(IPanelFormat).Assembly.GetTypes().Where(static type => type.IsValueType && type.IsAssignableTo(typeof(IPanelFormat)));

        Assert.Equal(formats.ToHashSet(), PanelFormats.All.Select(static products => products.GetType().GetGenericArguments()[1]).ToHashSet());
        Assert.All(PanelFormats.All, static products => Assert.Same(products, PanelFormats.Of(products.Type)));
    }

    [Fact]
    public void A_type_without_a_format_is_refused_with_those_that_have_one()
    {
        ArgumentOutOfRangeException error = Assert.Throws<ArgumentOutOfRangeException>("type", static () => PackedMatrix.Pack(1, 1, TensorType.Float64, static (_, _, _) => { }));

        Assert.All(PanelFormats.All, products => Assert.Contains(products.Type.ToString(), error.Message, StringComparison.Ordinal));
    }
}
