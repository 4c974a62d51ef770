using System.Collections.Immutable;

namespace MlaGen.Runtime;

/// <summary>The cores of products with weights, the best first; the last one runs anywhere.</summary>
internal static class ProductCores
{
    public static ImmutableArray<ProductCore> All { get; } = [new TileProductCore(MlaPrecision.Medium), new TileProductCore(MlaPrecision.High), new PairProductCore(), new VectorProductCore()];

    /// <summary>The core that multiplies with a matrix.</summary>
    /// <param name="matrix">The weights.</param>
    /// <param name="precision">The least exact products that are allowed.</param>
    public static ProductCore First(PackedMatrix matrix, MlaPrecision precision) => First(matrix.Products, matrix.Bytes, precision);

    /// <summary>The core that multiplies with a matrix of a format.</summary>
    /// <param name="format">Products of the format.</param>
    /// <param name="bytes">Bytes of the matrix.</param>
    /// <param name="precision">The least exact products that are allowed.</param>
    public static ProductCore First(PanelProducts format, long bytes, MlaPrecision precision)
    {
        foreach (ProductCore core in All)
        {
            if (core.Precision <= precision && Refusal(core, format, bytes, precision) is null)
            {
                return core;
            }
        }

        throw new InvalidOperationException("The last core runs anywhere.");
    }

    /// <summary>Why a core cannot run, or null if it can.</summary>
    public static string? Refusal(ProductCore core, PanelProducts format, long bytes, MlaPrecision precision) =>
        CoreChoice.Refusal(core.Precision, precision) ?? Targets.Refusal(core.Target) ?? core.RefusalOf(format, bytes) ?? core.Refusal;
}
