using MlaGen.Generator.Model;

namespace MlaGen.Generator.Planning;

/// <summary>Everything that the emission of kernels needs: a plan for each tier. A value: printed, tested and compared.</summary>
/// <param name="Shape">What the kernels are specialised to.</param>
/// <param name="Tiers">One plan for each tier, widest first.</param>
/// <param name="BreakEvenQueries">New tokens from which on a long context is cheaper decompressed; 0 if it never is.</param>
/// <param name="KeySplit">How threads share the keys of a row.</param>
/// <param name="Matrix">Absorbed cores of machine code, the best first.</param>
/// <param name="TilePrefill">Decompressed cores of tiles, the best first.</param>
/// <param name="MatrixPrefill">Decompressed cores of machine code without tiles, the best first.</param>
internal sealed record KernelPlan(
    KernelShape Shape,
    EquatableArray<TierPlan> Tiers,
    int BreakEvenQueries,
    KeySplit KeySplit,
    EquatableArray<MatrixPlan> Matrix,
    EquatableArray<TilePrefillPlan> TilePrefill,
    EquatableArray<MatrixPrefillPlan> MatrixPrefill);

/// <summary>The plans of one tier.</summary>
/// <param name="Tier">The tier.</param>
/// <param name="Decode">The absorbed core: all heads of one query token against cached rows.</param>
/// <param name="Prefill">The decompressed core: the queries of one head against its keys and values.</param>
internal sealed record TierPlan(SimdTier Tier, CorePlan Decode, CorePlan Prefill);
