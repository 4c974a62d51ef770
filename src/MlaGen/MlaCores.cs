using MlaGen.Runtime;

namespace MlaGen;

/// <summary>Which cores a class has for a cache, which of them run on this machine, and why the better ones do not.</summary>
public sealed class MlaCores
{
    private MlaCores(MlaCore[] absorbed, MlaCore[] decompressed, MlaCore[] projections)
    {
        Absorbed = absorbed;
        Decompressed = decompressed;
        Projections = projections;
    }

    /// <summary>Cores of the absorbed form, the best first.</summary>
    public IReadOnlyList<MlaCore> Absorbed { get; }

    /// <summary>Cores of the decompressed form, the best first.</summary>
    public IReadOnlyList<MlaCore> Decompressed { get; }

    /// <summary>Cores of products with weights of bfloat16, the best first: of the projections, and of every <see cref="Linear"/>. Weights of other formats take the last.</summary>
    public IReadOnlyList<MlaCore> Projections { get; }

    /// <summary>The cores of a class.</summary>
    /// <typeparam name="TAttention">A class generated from <see cref="MlaAttentionAttribute"/>.</typeparam>
    /// <param name="format">Format of the cache; <see langword="null"/> for the class's own.</param>
    /// <param name="precision">Precision of the cache; <see langword="null"/> for the class's own.</param>
    /// <exception cref="ArgumentOutOfRangeException">There is no such format or precision.</exception>
    public static MlaCores Of<TAttention>(CacheFormat? format = null, MlaPrecision? precision = null)
        where TAttention : class, IMlaAttention<TAttention>
    {
        var layout = CacheLayout.Of<TAttention>(format);
        MlaKernels kernels = TAttention.Definition.Kernels;
        MlaPrecision allowed = precision ?? layout.Precision;
        return Enum.IsDefined(allowed)
            ? new MlaCores(Listed(kernels.Absorbed, layout, allowed), Listed(kernels.Decompressed, layout, allowed), Products(PanelFormats.Of(TensorType.BFloat16), allowed))
            : throw new ArgumentOutOfRangeException(nameof(precision), precision, "There is no such precision.");
    }

    /// <summary>A line for each form, and one for the projections: the core that runs and, in order, why the better ones do not.</summary>
    public override string ToString() => string.Join(Environment.NewLine, $"absorbed: {Line(Absorbed)}", $"decompressed: {Line(Decompressed)}", $"projections: {Line(Projections)}");

    private static MlaCore[] Listed(IReadOnlyList<AttentionCore> cores, CacheLayout layout, MlaPrecision precision)
    {
        AttentionCore running = CoreChoice.First(cores, layout, precision);
        return [.. cores.Select(core => new MlaCore(core.Target, core.Precision, core == running, CoreChoice.Refusal(core, layout, precision)))];
    }

    private static MlaCore[] Products(PanelProducts format, MlaPrecision precision)
    {
        ProductCore running = ProductCores.First(format, precision);
        return [.. ProductCores.All.Select(core => new MlaCore(core.Target, core.Precision, core == running, ProductCores.Refusal(core, format, precision)))];
    }

    private static string Line(IReadOnlyList<MlaCore> cores)
    {
        MlaCore running = cores.First(core => core.Runs);
        IEnumerable<string> refusals = cores.TakeWhile(core => core != running).Select(core => $"not {Called(core)}: {core.Refusal}");
        return string.Join("; ", refusals.Prepend(Called(running)));
    }

    private static string Called(MlaCore core) => core.Precision == MlaPrecision.Highest ? $"{core.Target}" : $"{core.Target} ({core.Precision})";
}

/// <summary>One core of a list.</summary>
public sealed class MlaCore
{
    internal MlaCore(CoreTarget target, MlaPrecision precision, bool runs, string? refusal)
    {
        Target = target;
        Precision = precision;
        Runs = runs;
        Refusal = refusal;
    }

    /// <summary>What it needs of the machine.</summary>
    public CoreTarget Target { get; }

    /// <summary>How exactly it multiplies.</summary>
    public MlaPrecision Precision { get; }

    /// <summary>Whether it is the one that runs.</summary>
    public bool Runs { get; }

    /// <summary>Why it cannot run here, or <see langword="null"/> if it can.</summary>
    public string? Refusal { get; }
}
