using MlaGen.Runtime;

namespace MlaGen;

/// <summary>Which attention cores a class has for a cache, which of them run on this machine, and why the better ones do not.</summary>
/// <param name="Absorbed">Cores of the absorbed form, the best first.</param>
/// <param name="Decompressed">Cores of the decompressed form, the best first.</param>
public sealed record MlaCores(IReadOnlyList<MlaCore> Absorbed, IReadOnlyList<MlaCore> Decompressed)
{
    /// <summary>The cores of a class.</summary>
    /// <typeparam name="TAttention">A class generated from <see cref="MlaAttentionAttribute"/>.</typeparam>
    /// <param name="format">Format of the cache; <see langword="null"/> for the class's own.</param>
    /// <exception cref="ArgumentOutOfRangeException">There is no such format.</exception>
    public static MlaCores Of<TAttention>(CacheFormat? format = null)
        where TAttention : class, IMlaAttention<TAttention>
    {
        var layout = CacheLayout.Of<TAttention>(format);
        MlaKernels kernels = TAttention.Definition.Kernels;
        return new MlaCores(Listed(kernels.Absorbed, layout), Listed(kernels.Decompressed, layout));
    }

    /// <summary>A line for each form: the core that runs and, in order, why the better ones do not.</summary>
    public override string ToString() => $"absorbed: {Line(Absorbed)}{Environment.NewLine}decompressed: {Line(Decompressed)}";

    private static MlaCore[] Listed(IReadOnlyList<AttentionCore> cores, CacheLayout layout)
    {
        AttentionCore running = CoreChoice.First(cores, layout);
        return [.. cores.Select(core => new MlaCore(core.Target, core == running, CoreChoice.Refusal(core, layout)))];
    }

    private static string Line(IReadOnlyList<MlaCore> cores)
    {
        MlaCore running = cores.First(core => core.Runs);
        IEnumerable<string> refusals = cores.TakeWhile(core => core != running).Select(core => $"not {core.Target}: {core.Refusal}");
        return string.Join("; ", refusals.Prepend($"{running.Target}"));
    }
}

/// <summary>One core of a list.</summary>
/// <param name="Target">What it needs of the machine.</param>
/// <param name="Runs">Whether it is the one that runs.</param>
/// <param name="Refusal">Why it cannot run here, or <see langword="null"/> if it can.</param>
public sealed record MlaCore(CoreTarget Target, bool Runs, string? Refusal);
