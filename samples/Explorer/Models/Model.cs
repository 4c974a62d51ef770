using MlaGen;

namespace Explorer.Models;

/// <summary>A published shape.</summary>
/// <param name="Name">The model's name.</param>
/// <param name="Layer">Its layer, generated.</param>
/// <param name="Core">The same heads without the projections around them.</param>
internal sealed record Model(string Name, Attention Layer, Attention Core)
{
    /// <summary>The shapes there are, by heads.</summary>
    public static IReadOnlyList<Model> All { get; } =
    [
        new(
            "V2-Lite",
            new Attention<DeepSeekV2Lite>(DeepSeekV2Lite.SoftmaxScale),
            new Attention<DeepSeekV2LiteCore>(DeepSeekV2LiteCore.SoftmaxScale)),
        new(
            "GLM-4.7-Flash",
            new Attention<Glm47Flash>(Glm47Flash.SoftmaxScale),
            new Attention<Glm47FlashCore>(Glm47FlashCore.SoftmaxScale)),
        new(
            "MiniCPM3",
            new Attention<MiniCpm3>(MiniCpm3.SoftmaxScale),
            new Attention<MiniCpm3Core>(MiniCpm3Core.SoftmaxScale)),
        new(
            "Kimi-K2",
            new Attention<KimiK2>(KimiK2.SoftmaxScale),
            new Attention<KimiK2Core>(KimiK2Core.SoftmaxScale)),
        new(
            "V3",
            new Attention<DeepSeekV3>(DeepSeekV3.SoftmaxScale),
            new Attention<DeepSeekV3Core>(DeepSeekV3Core.SoftmaxScale)),
    ];

    public int Heads => Layer.Shape.Heads;

    /// <summary>How the cache of the layer stores a row.</summary>
    public string Cache => Called(Layer.Layout.Format);

    public static Model WithHeads(int heads) => All.Single(model => model.Heads == heads);

    public static Model Named(string name) => All.Single(model => model.Name == name);

    /// <summary>What options, tables and JSON call a format.</summary>
    public static string Called(CacheFormat format) => format.ToString().ToLowerInvariant();

    /// <summary>What options, tables and JSON call a precision.</summary>
    public static string Called(MlaPrecision precision) => precision.ToString().ToLowerInvariant();
}
