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
        PanelProducts.Of<Float8Panels>(),
        PanelProducts.Of<Int8Panels<Groups32>>(),
        PanelProducts.Of<Int8Panels<Groups64>>(),
        PanelProducts.Of<Int4Panels<Groups32>>(),
        PanelProducts.Of<Int4Panels<Groups64>>(),
        PanelProducts.Of<StoredInt4Panels<Groups32, BFloat16Scales>>(),
        PanelProducts.Of<StoredInt4Panels<Groups64, BFloat16Scales>>(),
        PanelProducts.Of<StoredInt4Panels<Groups32, Float16Scales>>(),
        PanelProducts.Of<StoredInt4Panels<Groups64, Float16Scales>>(),
    ];

    /// <summary>The products of a format that weights are brought into; they are packed from floats.</summary>
    public static PanelProducts Of(WeightFormat format)
    {
        foreach (PanelProducts products in All)
        {
            if (products.Format == format && format != WeightFormat.Stored)
            {
                return products;
            }
        }

        throw new ArgumentOutOfRangeException(nameof(format), format, "There is no such format.");
    }

    /// <summary>The products of the format that holds codes of four bits as they are stored.</summary>
    public static PanelProducts OfStoredInt4(int group, TensorType scales) =>
        All.First(products => products.Name == FormattableString.Invariant($"int4-{group}-{(scales == TensorType.BFloat16 ? BFloat16Scales.Name : Float16Scales.Name)}"));

    /// <summary>The products of the format that holds elements of a type as they are stored, where there is one alone.</summary>
    public static PanelProducts Of(TensorType type)
    {
        foreach (PanelProducts products in All)
        {
            if (products.Type == type && products.IsStored)
            {
                return products;
            }
        }

        throw new ArgumentOutOfRangeException(nameof(type), type, $"A packed matrix holds {string.Join(" or ", All.Where(static products => products.IsStored).Select(static products => products.Type))}.");
    }
}
