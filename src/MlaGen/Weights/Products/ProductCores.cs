using System.Collections.Immutable;

namespace MlaGen.Runtime;

/// <summary>The cores of products with weights, the best first; the last one runs anywhere.</summary>
internal static class ProductCores
{
    public static ImmutableArray<ProductCore> All { get; } = [new TileProductCore(MlaPrecision.Medium), new TileProductCore(MlaPrecision.High), new PairProductCore(), new VectorProductCore()];

    /// <summary>The core that multiplies with a matrix.</summary>
    /// <param name="format">Products of the matrix' format.</param>
    /// <param name="precision">The least exact products that are allowed.</param>
    public static ProductCore First(PanelProducts format, MlaPrecision precision)
    {
        foreach (ProductCore core in All)
        {
            if (core.Precision <= precision && Refusal(core, format, precision) is null)
            {
                return core;
            }
        }

        throw new InvalidOperationException("The last core runs anywhere.");
    }

    /// <summary>Why a core cannot run, or null if it can.</summary>
    public static string? Refusal(ProductCore core, PanelProducts format, MlaPrecision precision) =>
        CoreChoice.Refusal(core.Precision, precision) ?? Targets.Refusal(core.Target) ?? core.RefusalOf(format) ?? core.Refusal;
}
