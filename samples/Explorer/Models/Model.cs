namespace Explorer.Models;

/// <summary>A published shape.</summary>
/// <param name="Name">The model's name.</param>
/// <param name="Layer">Its layer, generated.</param>
internal sealed record Model(string Name, Attention Layer)
{
    /// <summary>The element type that caches have.</summary>
    public const string Float32Cache = "float32";

    /// <summary>The shapes there are, by heads.</summary>
    public static IReadOnlyList<Model> All { get; } =
    [
        new("V2-Lite", new Attention<DeepSeekV2Lite>(DeepSeekV2Lite.AppendLatent, DeepSeekV2Lite.AttendLatent)),
        new("GLM-4.7-Flash", new Attention<Glm47Flash>(Glm47Flash.AppendLatent, Glm47Flash.AttendLatent)),
        new("MiniCPM3", new Attention<MiniCpm3>(MiniCpm3.AppendLatent, MiniCpm3.AttendLatent)),
        new("Kimi-K2", new Attention<KimiK2>(KimiK2.AppendLatent, KimiK2.AttendLatent)),
        new("V3", new Attention<DeepSeekV3>(DeepSeekV3.AppendLatent, DeepSeekV3.AttendLatent)),
    ];

    public int Heads => Layer.Shape.Heads;

    public static Model WithHeads(int heads) => All.Single(model => model.Heads == heads);
}
