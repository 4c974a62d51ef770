namespace MlaGen.Runtime;

/// <summary>Finds the core of a list that runs: the first that machine and cache allow.</summary>
internal static class CoreChoice
{
    /// <summary>The core that runs.</summary>
    /// <param name="cores">The best first.</param>
    /// <param name="layout">What the cache keeps.</param>
    public static T First<T>(IEnumerable<T> cores, CacheLayout layout)
        where T : AttentionCore => cores.First(core => Refusal(core, layout) is null);

    /// <summary>Why a core cannot run, or null if it can.</summary>
    public static string? Refusal(AttentionCore core, CacheLayout layout) => Targets.Refusal(core.Target) ?? RowReader.Refusal(core.Operand, layout);
}
