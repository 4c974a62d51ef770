using MlaGen.Tests.Attention;
using MlaGen.Tests.Caching.Formats;
using MlaGen.Tests.MachineCode;
using MlaGen.Tests.Oracles;

namespace MlaGen.Tests.Acceptance;

/// <summary>All that attention on latents depends on of a layer; each stands for one generated class.</summary>
/// <param name="Heads">Heads.</param>
/// <param name="Latent">Width of the latent.</param>
/// <param name="Rope">Width of the rotary key.</param>
/// <param name="Format">What the cache keeps rows as.</param>
/// <param name="Precision">How exactly it multiplies.</param>
internal sealed record LatentShape(int Heads, int Latent = 64, int Rope = 16, CacheFormat Format = CacheFormat.Float32, MlaPrecision Precision = MlaPrecision.Highest)
{
    private static readonly Dictionary<LatentShape, Lazy<TestLayer>> _layers = new(
    [
        Layer<Heads1Attention>(), Layer<Heads3Attention>(), Layer<Heads9Attention>(), Layer<Heads16Attention>(),
        Layer<Heads63Attention>(), Layer<Heads64Attention>(), Layer<Heads128Attention>(), Layer<WideAttention>(), Layer<Heads96Attention>(),
        Layer<Heads64BFloat16Attention>(), Layer<Heads64Float16Attention>(), Layer<Heads64Float8Attention>(), Layer<Heads64Int8Attention>(),
        Layer<BFloat16Attention>(), Layer<Float16Attention>(), Layer<Float8Attention>(), Layer<Int8Attention>(),
        Layer<Heads20Attention>(), Layer<Heads40Attention>(),
        Layer<YarnAttention>("yarn"), Layer<OddAttention>("odd"), Layer<RopelessAttention>("ropeless"),
        Layer<Medium8Attention>(), Layer<Medium16Attention>(), Layer<Medium20Attention>(), Layer<Medium40Attention>(), Layer<Medium128Attention>(), Layer<MediumFloatAttention>(),
        Layer<High8Attention>(), Layer<High16Attention>(), Layer<High20Attention>(), Layer<High40Attention>(), Layer<High128Attention>(),
        Layer<OneHeadAttention>("one head"), Layer<ScaledAttention>("scaled"), Layer<ManyHeadsAttention>("many heads"),
    ]);

    /// <summary>Operations of a query on a key: a product with the row, and one with the latent.</summary>
    public long FlopsPerKey => 2L * Heads * ((2 * Latent) + Rope);

    /// <summary>The class of this shape.</summary>
    public TestLayer TestLayer => _layers[this].Value;

    public override string ToString() => $"{Heads} heads of {Latent}+{Rope} in {Format}{(Precision == MlaPrecision.Highest ? "" : $" at {Precision}")}";

    private static KeyValuePair<LatentShape, Lazy<TestLayer>> Layer<TAttention>()
        where TAttention : class, IMlaAttention<TAttention>
        => new(Of<TAttention>(), TestLayer.Make<TAttention>(typeof(TAttention).Name, static spec => spec));

    private static KeyValuePair<LatentShape, Lazy<TestLayer>> Layer<TAttention>(string name)
        where TAttention : class, IMlaAttention<TAttention>
        => new(Of<TAttention>(), new(() => TestLayer.Get(name)));

    private static LatentShape Of<TAttention>()
        where TAttention : class, IMlaAttention<TAttention>
        => new(TAttention.Shape.Heads, TAttention.Shape.KvLoraRank, TAttention.Shape.QkRopeHeadDim, CacheLayout.Of<TAttention>().Format, TAttention.Definition.Precision);
}
