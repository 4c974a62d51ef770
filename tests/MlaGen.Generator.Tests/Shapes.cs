namespace MlaGen.Generator.Tests;

/// <summary>Attributes to generate from: the shapes of published models, and random ones.</summary>
internal static class Shapes
{
    public const string Story = "HiddenSize = 256, Heads = 8, QLoraRank = 128, KvLoraRank = 64, QkNopeHeadDim = 32, QkRopeHeadDim = 16, VHeadDim = 32, MaxPositionEmbeddings = 1024, "
        + "RopeScaling = RopeScaling.Yarn, RopeFactor = 4, OriginalMaxPositionEmbeddings = 256, Mscale = 1, MscaleAllDim = 1";

    public const string DeepSeekV3 = "HiddenSize = 7168, Heads = 128, QLoraRank = 1536, MaxPositionEmbeddings = 163840, " + DeepSeekYarn + "Mscale = 1, MscaleAllDim = 1";

    public const string MiniCpm3 = "HiddenSize = 2560, Heads = 40, QLoraRank = 768, KvLoraRank = 256, QkNopeHeadDim = 64, QkRopeHeadDim = 32, VHeadDim = 64, MaxPositionEmbeddings = 32768, "
        + "RopeLayout = RopeLayout.HalfSplit, RopeScaling = RopeScaling.LongRope, RopeFactor = 1, OriginalMaxPositionEmbeddings = 32768, "
        + "ShortFactor = new[] { " + MiniCpm3Factors + " }, LongFactor = new[] { " + MiniCpm3Factors + " }";

    /// <summary>Twenty heads: the last four lie beside each other in no vector of their own.</summary>
    public const string Glm47Flash = "HiddenSize = 2048, Heads = 20, QLoraRank = 768, QkNopeHeadDim = 192, VHeadDim = 256, MaxPositionEmbeddings = 202752, RopeTheta = 1000000";

    /// <summary>No dimension fills whole vectors of any width, and the query has no latent of its own.</summary>
    public const string Odd = "HiddenSize = 100, Heads = 7, KvLoraRank = 97, QkNopeHeadDim = 21, QkRopeHeadDim = 6, VHeadDim = 13, MaxPositionEmbeddings = 8192, "
        + "RopeLayout = RopeLayout.HalfSplit, AttentionBias = true";

    /// <summary>Hy4's gate and sinks, on the dimensions of the story model.</summary>
    public const string Gated = "HiddenSize = 256, Heads = 8, QLoraRank = 128, KvLoraRank = 64, QkNopeHeadDim = 32, QkRopeHeadDim = 16, VHeadDim = 32, MaxPositionEmbeddings = 1024, "
        + "RopeLayout = RopeLayout.HalfSplit, OutputGate = OutputGate.ElementWise, OutputGateName = \"linear_gate\", AttentionSinks = true";

    /// <summary>A.X-K2's gate, on the same.</summary>
    public const string QueryGated = "HiddenSize = 256, Heads = 8, QLoraRank = 128, KvLoraRank = 64, QkNopeHeadDim = 32, QkRopeHeadDim = 16, VHeadDim = 32, MaxPositionEmbeddings = 1024, "
        + "OutputGate = OutputGate.Query";

    private const string DeepSeekYarn = "RopeScaling = RopeScaling.Yarn, RopeFactor = 40, OriginalMaxPositionEmbeddings = 4096, ";

    private const string KimiYarn = "RopeTheta = 50000, RopeScaling = RopeScaling.Yarn, OriginalMaxPositionEmbeddings = 4096, Mscale = 1, MscaleAllDim = 1, ";

    private const string MiniCpm3Factors = "1.0591234137867171, 1.1241891283591912, 1.2596935748670968, 1.5380380402321725, 2.093982484148734, 3.1446935121267696, 4.937952647693647, 7.524541999994549, "
        + "10.475458000005451, 13.062047352306353, 14.85530648787323, 15.906017515851266, 16.461961959767827, 16.740306425132907, 16.87581087164081, 16.940876586213285";

    /// <summary>Published models, by class name. Where two models differ in nothing that is emitted, one stands for both.</summary>
    public static readonly (string Name, string Attribute)[] Published =
    [
        ("DeepSeekV2", "HiddenSize = 5120, Heads = 128, QLoraRank = 1536, MaxPositionEmbeddings = 163840, " + DeepSeekYarn + "Mscale = 0.707, MscaleAllDim = 0.707"),
        ("DeepSeekV2Lite", "HiddenSize = 2048, Heads = 16, MaxPositionEmbeddings = 163840, " + DeepSeekYarn + "Mscale = 0.707, MscaleAllDim = 0.707"),
        ("DeepSeekV25", "HiddenSize = 5120, Heads = 128, QLoraRank = 1536, MaxPositionEmbeddings = 163840, " + DeepSeekYarn + "Mscale = 1, MscaleAllDim = 1"),
        ("DeepSeekVL2Small", "HiddenSize = 2048, Heads = 16"),
        ("DeepSeekVL2", "HiddenSize = 2560, Heads = 32"),
        ("DeepSeekV3", DeepSeekV3),
        ("KimiK2Instruct", "HiddenSize = 7168, Heads = 64, QLoraRank = 1536, MaxPositionEmbeddings = 131072, " + KimiYarn + "RopeFactor = 32, BetaFast = 1"),
        ("KimiK2Instruct0905", "HiddenSize = 7168, Heads = 64, QLoraRank = 1536, MaxPositionEmbeddings = 262144, " + KimiYarn + "RopeFactor = 64, BetaFast = 1"),
        ("KimiK25", "HiddenSize = 7168, Heads = 64, QLoraRank = 1536, MaxPositionEmbeddings = 262144, " + KimiYarn + "RopeFactor = 64"),
        ("KimiK3", "HiddenSize = 7168, Heads = 96, QLoraRank = 1536, MaxPositionEmbeddings = 1048576, RopeLayout = RopeLayout.None, OutputGate = OutputGate.ElementWise"),
        ("KimiLinear", "HiddenSize = 2304, Heads = 32, MaxPositionEmbeddings = 1048576, RopeLayout = RopeLayout.None"),
        ("Moonlight", "HiddenSize = 2048, Heads = 16, MaxPositionEmbeddings = 8192, RopeTheta = 50000"),
        ("KimiVL", "HiddenSize = 2048, Heads = 16, MaxPositionEmbeddings = 131072, RopeTheta = 800000"),
        ("MiniCpm3", MiniCpm3),
        ("Glm47Flash", "HiddenSize = 2048, Heads = 20, QLoraRank = 768, QkNopeHeadDim = 192, VHeadDim = 256, MaxPositionEmbeddings = 202752, RopeTheta = 1000000"),
        ("Glm5", "HiddenSize = 6144, Heads = 64, QLoraRank = 2048, QkNopeHeadDim = 192, VHeadDim = 256, MaxPositionEmbeddings = 202752, RopeTheta = 1000000"),
        ("Glm52", "HiddenSize = 6144, Heads = 64, QLoraRank = 2048, QkNopeHeadDim = 192, VHeadDim = 256, MaxPositionEmbeddings = 1048576, RopeTheta = 8000000"),
        ("Glm53Flash", "HiddenSize = 4096, Heads = 64, QLoraRank = 1536, QkNopeHeadDim = 256, QkRopeHeadDim = 0, VHeadDim = 256, MaxPositionEmbeddings = 1048576"),
        ("MistralLarge3", "HiddenSize = 7168, Heads = 128, QLoraRank = 1536, MaxPositionEmbeddings = 294912, RopeScaling = RopeScaling.Yarn, RopeFactor = 36, OriginalMaxPositionEmbeddings = 8192, AttentionFactor = 1"),
        ("MistralSmall4", "HiddenSize = 4096, Heads = 32, QLoraRank = 1024, KvLoraRank = 256, QkNopeHeadDim = 64, MaxPositionEmbeddings = 1048576, RopeScaling = RopeScaling.Yarn, RopeFactor = 128, "
            + "OriginalMaxPositionEmbeddings = 8192, Mscale = 1, MscaleAllDim = 1, Llama4ScalingBeta = 0.1"),
        ("LongCatFlash", "HiddenSize = 6144, Heads = 64, QLoraRank = 1536, MaxPositionEmbeddings = 131072, RopeTheta = 10000000, ScaleQLora = true, ScaleKvLora = true"),
        ("LongCatFlashLite", "HiddenSize = 3072, Heads = 32, QLoraRank = 1536, MaxPositionEmbeddings = 327680, RopeTheta = 5000000, ScaleQLora = true, ScaleKvLora = true"),
        ("Youtu", "HiddenSize = 2048, Heads = 16, QLoraRank = 1536, MaxPositionEmbeddings = 131072, RopeTheta = 1600000"),
        ("PanguUltraMoe", "HiddenSize = 7680, Heads = 128, QLoraRank = 1536, MaxPositionEmbeddings = 131072, RopeTheta = 25600000"),
        ("PanguV2Moe", "HiddenSize = 5120, Heads = 64, QLoraRank = 1536, MaxPositionEmbeddings = 524288, RopeTheta = 6400000, RopeLayout = RopeLayout.HalfSplit"),
        ("Ling3Flash", "HiddenSize = 2560, Heads = 32, RopeTheta = 6000000, OutputGate = OutputGate.HeadWise"),
        ("Ling3Tiny", "HiddenSize = 1536, Heads = 16, QLoraRank = 256, MaxPositionEmbeddings = 131072, RopeTheta = 6000000, OutputGate = OutputGate.HeadWise"),
        ("AXK1", "HiddenSize = 7168, Heads = 64, QLoraRank = 1536, MaxPositionEmbeddings = 32768"),
        ("Sarvam", "HiddenSize = 4096, Heads = 64, MaxPositionEmbeddings = 131072, " + DeepSeekYarn + "Mscale = 1, MscaleAllDim = 1"),
        ("Plm", "HiddenSize = 2048, Heads = 16, RopeTheta = 100000"),
        ("HunyuanV4", "HiddenSize = 2816, Heads = 32, QLoraRank = 1536, QkNopeHeadDim = 192, VHeadDim = 256, MaxPositionEmbeddings = 262144, RopeLayout = RopeLayout.HalfSplit, OutputGate = OutputGate.ElementWise, OutputGateName = \"linear_gate\", AttentionSinks = true"),
        ("Story", Story),
    ];

    /// <summary>Shapes that no model has: small, odd and prime dimensions, every layout, scaling and flag. The same ones for a seed, always.</summary>
    public static IEnumerable<(string Name, string Attribute)> Random(int seed, int count)
    {
        Random random = new(seed);
        for (int i = 0; i < count; i++)
        {
            int rope = 2 * random.Next(0, 41);
            int queryRank = random.Next(3) == 0 ? 0 : random.Next(1, 300);
            List<string> properties =
            [
                $"HiddenSize = {random.Next(1, 700)}",
                $"Heads = {random.Next(1, 140)}",
                $"QLoraRank = {queryRank}",
                $"KvLoraRank = {random.Next(1, 600)}",
                $"QkNopeHeadDim = {random.Next(1, 260)}",
                $"QkRopeHeadDim = {rope}",
                $"VHeadDim = {random.Next(1, 260)}",
                $"MaxPositionEmbeddings = {random.Next(1024, 9000)}",
                $"AttentionBias = {Flag()}",
                $"ScaleKvLora = {Flag()}",
                $"ScaleQLora = {(queryRank == 0 ? "false" : Flag())}",
            ];
            if (rope > 0)
            {
                properties.AddRange(Positions(random.Next(5), rope / 2));
            }

            yield return ($"Random{i}", string.Join(", ", properties));

            string Flag() => random.Next(2) == 0 ? "false" : "true";
        }
    }

    /// <summary>A public class with documentation, as a strict project demands of its members.</summary>
    public static string Source(string name, string attribute) => $$"""
        using MlaGen;

        namespace Models;

        /// <summary>A layer.</summary>
        [MlaAttention({{attribute}})]
        public sealed partial class {{name}};
        """;

    private static string[] Positions(int kind, int pairs) => kind switch
    {
        0 => ["RopeLayout = RopeLayout.None"],
        1 => ["RopeLayout = RopeLayout.HalfSplit", "RopeScaling = RopeScaling.Yarn", "RopeFactor = 8", "OriginalMaxPositionEmbeddings = 512", "RopeTruncate = false"],
        2 => ["RopeScaling = RopeScaling.LongRope", "RopeFactor = 1", "OriginalMaxPositionEmbeddings = 9000", $"ShortFactor = {Factors("1.5", pairs)}", $"LongFactor = {Factors("2.5", pairs)}"],
        3 => ["RopeLayout = RopeLayout.HalfSplit", "OriginalMaxPositionEmbeddings = 2048", "Llama4ScalingBeta = 0.1", "SoftmaxScale = 0.25"],
        _ => ["RopeTheta = 1234567.5"],
    };

    private static string Factors(string value, int count) => $"new[] {{ {string.Join(", ", Enumerable.Repeat(value, count))} }}";
}
