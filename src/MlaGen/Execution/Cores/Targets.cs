namespace MlaGen.Runtime;

/// <summary>What this process's machine can run.</summary>
internal static class Targets
{
    /// <summary>Why the machine cannot run code for a target, or null if it can.</summary>
    public static string? Refusal(CoreTarget target) => target switch
    {
        CoreTarget.Scalar => null,
        CoreTarget.Vector128 => Needs(SimdTier.Vector128),
        CoreTarget.Vector256 => Needs(SimdTier.Vector256),
        CoreTarget.Vector512 => Needs(SimdTier.Vector512),
        CoreTarget.Avx512Bf16 => MatrixInstructions.Avx512Bf16Refusal ?? Loss(MatrixInstructions.ProcessorMaker),
        CoreTarget.Amx => MatrixInstructions.AmxRefusal,
        _ => FormattableString.Invariant($"this version of the package knows no target {target}"),
    };

    /// <summary>
    /// Why AVX512-BF16, where there is it, does not pay, or null if it does. On Intel's processors that may not use AMX, kernels that decode took twice as long with it
    /// as those of floats do, and products of many rows longer, too; on AMD's they are up to twice as fast.
    /// </summary>
    /// <param name="maker">Who made the processor, as it says itself.</param>
    internal static string? Loss(string maker) => maker == "GenuineIntel" ? "on processors of Intel floats are multiplied faster" : null;

    private static string? Needs(SimdTier tier) =>
        SimdTiers.Current >= tier ? null : FormattableString.Invariant($"it needs {tier}; processor and runtime of this process offer {SimdTiers.Current} at most");
}
