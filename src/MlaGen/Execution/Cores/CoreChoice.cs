namespace MlaGen.Runtime;

/// <summary>Finds the core of a list that runs: the first that machine, cache and precision allow.</summary>
internal static class CoreChoice
{
    /// <summary>The core that runs.</summary>
    /// <param name="cores">The best first.</param>
    /// <param name="layout">What the cache keeps.</param>
    /// <param name="precision">The least exact products that are allowed.</param>
    public static T First<T>(IEnumerable<T> cores, CacheLayout layout, MlaPrecision precision)
        where T : AttentionCore => cores.First(core => Refusal(core, layout, precision) is null);

    /// <summary>Why a core cannot run, or null if it can.</summary>
    public static string? Refusal(AttentionCore core, CacheLayout layout, MlaPrecision precision)
        => Refusal(core.Precision, precision) ?? Targets.Refusal(core.Target) ?? RowReader.Refusal(core.Operand, layout) ?? SelectionRefusal(core, layout) ?? core.Refusal;

    /// <summary>Why a precision is not exact enough, or null if it is.</summary>
    /// <param name="found">How exactly a core multiplies.</param>
    /// <param name="asked">The least exact products that are allowed.</param>
    public static string? Refusal(MlaPrecision found, MlaPrecision asked) =>
        found > asked ? FormattableString.Invariant($"its precision is {found}; {asked} is asked for") : null;

    private static string? SelectionRefusal(AttentionCore core, CacheLayout layout) =>
        core is DecompressedMachineCore && layout.IndexCodec is not null ? "queries may select their keys, which its products do not leave out" : null;
}
