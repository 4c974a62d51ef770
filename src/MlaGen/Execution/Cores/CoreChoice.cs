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
        => core.Precision > precision
            ? FormattableString.Invariant($"its precision is {core.Precision}; {precision} is asked for")
            : Targets.Refusal(core.Target) ?? RowReader.Refusal(core.Operand, layout) ?? core.Refusal;
}
