using MlaGen.Generator.Model;

namespace MlaGen.Generator.Planning;

/// <summary>Everything that the emission of a class needs beside its kernels.</summary>
/// <param name="Spec">What was asked for.</param>
/// <param name="Rope">Frequencies and scales derived from it.</param>
/// <param name="Kernels">The kernels that it shares with every class of these dimensions.</param>
/// <param name="BreakEvenQueries">New tokens from which on a long context is cheaper decompressed; 0 if it never is.</param>
internal sealed record LayerPlan(MlaSpec Spec, RopeConstants Rope, KernelShape Kernels, int BreakEvenQueries)
{
    /// <summary>The plan of a valid specification.</summary>
    public static LayerPlan Of(MlaSpec spec)
    {
        KernelShape kernels = KernelShape.Of(spec.Dimensions, spec.Precision);
        return new LayerPlan(spec, RopeConstants.For(spec), kernels, KernelPlanner.BreakEvenQueries(kernels));
    }
}
