using MlaGen;

namespace Explorer.Models;

/// <summary>A published shape.</summary>
/// <param name="Name">The model's name.</param>
/// <param name="Layer">Its layer, generated.</param>
/// <param name="Core">The same heads without the projections around them.</param>
/// <param name="SmallerCaches">The absorbed core on rows that take fewer bytes; none where a full float is all that is measured.</param>
internal sealed record Model(string Name, Attention Layer, Attention Core, params DecodeCore[] SmallerCaches)
{
    /// <summary>The shapes there are, by heads.</summary>
    public static IReadOnlyList<Model> All { get; } =
    [
        new(
            "V2-Lite",
            new Attention<DeepSeekV2Lite>(DeepSeekV2Lite.SoftmaxScale, DeepSeekV2Lite.AppendLatent, DeepSeekV2Lite.AttendLatent, static weights => new DeepSeekV2Lite(DeepSeekV2Lite.Weights.Load(weights, ""), 0).Forward),
            new Attention<DeepSeekV2LiteCore>(DeepSeekV2LiteCore.SoftmaxScale, DeepSeekV2LiteCore.AppendLatent, DeepSeekV2LiteCore.AttendLatent, static weights => new DeepSeekV2LiteCore(DeepSeekV2LiteCore.Weights.Load(weights, ""), 0).Forward),
            DecodeCore.Of<DeepSeekV2LiteBFloat16>(DeepSeekV2LiteBFloat16.AppendLatent, DeepSeekV2LiteBFloat16.AttendLatent),
            DecodeCore.Of<DeepSeekV2LiteFloat16>(DeepSeekV2LiteFloat16.AppendLatent, DeepSeekV2LiteFloat16.AttendLatent),
            DecodeCore.Of<DeepSeekV2LiteFloat8>(DeepSeekV2LiteFloat8.AppendLatent, DeepSeekV2LiteFloat8.AttendLatent),
            DecodeCore.Of<DeepSeekV2LiteInt8>(DeepSeekV2LiteInt8.AppendLatent, DeepSeekV2LiteInt8.AttendLatent)),
        new(
            "GLM-4.7-Flash",
            new Attention<Glm47Flash>(Glm47Flash.SoftmaxScale, Glm47Flash.AppendLatent, Glm47Flash.AttendLatent, static weights => new Glm47Flash(Glm47Flash.Weights.Load(weights, ""), 0).Forward),
            new Attention<Glm47FlashCore>(Glm47FlashCore.SoftmaxScale, Glm47FlashCore.AppendLatent, Glm47FlashCore.AttendLatent, static weights => new Glm47FlashCore(Glm47FlashCore.Weights.Load(weights, ""), 0).Forward)),
        new(
            "MiniCPM3",
            new Attention<MiniCpm3>(MiniCpm3.SoftmaxScale, MiniCpm3.AppendLatent, MiniCpm3.AttendLatent, static weights => new MiniCpm3(MiniCpm3.Weights.Load(weights, ""), 0).Forward),
            new Attention<MiniCpm3Core>(MiniCpm3Core.SoftmaxScale, MiniCpm3Core.AppendLatent, MiniCpm3Core.AttendLatent, static weights => new MiniCpm3Core(MiniCpm3Core.Weights.Load(weights, ""), 0).Forward)),
        new(
            "Kimi-K2",
            new Attention<KimiK2>(KimiK2.SoftmaxScale, KimiK2.AppendLatent, KimiK2.AttendLatent, static weights => new KimiK2(KimiK2.Weights.Load(weights, ""), 0).Forward),
            new Attention<KimiK2Core>(KimiK2Core.SoftmaxScale, KimiK2Core.AppendLatent, KimiK2Core.AttendLatent, static weights => new KimiK2Core(KimiK2Core.Weights.Load(weights, ""), 0).Forward),
            DecodeCore.Of<KimiK2BFloat16>(KimiK2BFloat16.AppendLatent, KimiK2BFloat16.AttendLatent),
            DecodeCore.Of<KimiK2Float16>(KimiK2Float16.AppendLatent, KimiK2Float16.AttendLatent),
            DecodeCore.Of<KimiK2Float8>(KimiK2Float8.AppendLatent, KimiK2Float8.AttendLatent),
            DecodeCore.Of<KimiK2Int8>(KimiK2Int8.AppendLatent, KimiK2Int8.AttendLatent)),
        new(
            "V3",
            new Attention<DeepSeekV3>(DeepSeekV3.SoftmaxScale, DeepSeekV3.AppendLatent, DeepSeekV3.AttendLatent, static weights => new DeepSeekV3(DeepSeekV3.Weights.Load(weights, ""), 0).Forward),
            new Attention<DeepSeekV3Core>(DeepSeekV3Core.SoftmaxScale, DeepSeekV3Core.AppendLatent, DeepSeekV3Core.AttendLatent, static weights => new DeepSeekV3Core(DeepSeekV3Core.Weights.Load(weights, ""), 0).Forward),
            DecodeCore.Of<DeepSeekV3BFloat16>(DeepSeekV3BFloat16.AppendLatent, DeepSeekV3BFloat16.AttendLatent),
            DecodeCore.Of<DeepSeekV3Float16>(DeepSeekV3Float16.AppendLatent, DeepSeekV3Float16.AttendLatent),
            DecodeCore.Of<DeepSeekV3Float8>(DeepSeekV3Float8.AppendLatent, DeepSeekV3Float8.AttendLatent),
            DecodeCore.Of<DeepSeekV3Int8>(DeepSeekV3Int8.AppendLatent, DeepSeekV3Int8.AttendLatent)),
    ];

    public int Heads => Layer.Shape.Heads;

    /// <summary>How the cache of the layer stores a row.</summary>
    public string Cache => Called(Layer.Layout.Format);

    public static Model WithHeads(int heads) => All.Single(model => model.Heads == heads);

    public static Model Named(string name) => All.Single(model => model.Name == name);

    /// <summary>What options, tables and JSON call a format.</summary>
    public static string Called(CacheFormat format) => format.ToString().ToLowerInvariant();
}
