using System.Collections.Immutable;

namespace MlaGen.Runtime;

/// <summary>The formats that weights are packed in: all that knows them by name.</summary>
internal static class PanelFormats
{
    /// <summary>The products of every format.</summary>
    public static ImmutableArray<PanelProducts> All { get; } =
    [
        PanelProducts.Of<Float32Panels>(),
        PanelProducts.Of<Float16Panels>(),
        PanelProducts.Of<BFloat16Panels>(),
    ];

    /// <summary>The products of the format that holds elements of a type.</summary>
    public static PanelProducts Of(TensorType type)
    {
        foreach (PanelProducts products in All)
        {
            if (products.Type == type)
            {
                return products;
            }
        }

        throw new ArgumentOutOfRangeException(nameof(type), type, $"A packed matrix holds {string.Join(" or ", All.Select(static products => products.Type))}.");
    }
}
