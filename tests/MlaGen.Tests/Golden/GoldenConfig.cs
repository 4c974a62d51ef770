using System.Text.Json;
using MlaGen.Tests.Oracles;

namespace MlaGen.Tests.Golden;

/// <summary>From a golden file's configuration to what the oracles compute, by the rules of each family's class in transformers.</summary>
internal static class GoldenConfig
{
    public static OracleSpec Parse(string family, string json)
    {
        using JsonDocument document = JsonDocument.Parse(json);
        JsonElement config = document.RootElement;
        JsonElement rope = config.TryGetProperty("rope_parameters", out JsonElement found) ? found : default;
        int hidden = Integer(config, "hidden_size");
        bool longcat = family == "longcat_flash";
        return new OracleSpec
        {
            HiddenSize = hidden,
            Heads = Integer(config, "num_attention_heads"),
            QLoraRank = Integer(config, "q_lora_rank"),
            KvLoraRank = Integer(config, "kv_lora_rank"),
            QkNopeHeadDim = Integer(config, "qk_nope_head_dim"),
            QkRopeHeadDim = Integer(config, "qk_rope_head_dim"),
            VHeadDim = Integer(config, "v_head_dim"),
            ScaleQLora = longcat,
            ScaleKvLora = longcat,
            Gate = family switch { "axk2" => OutputGate.Query, "hy_v4" => OutputGate.ElementWise, _ => OutputGate.None },
            GateName = family == "hy_v4" ? "linear_gate" : "g_proj",
            HasSinks = family == "hy_v4",
            Llama4Beta = Real(rope, "llama_4_scaling_beta"),
            Rope = new OracleRope
            {
                Layout = Layout(family, config),
                Scaling = rope.ValueKind == JsonValueKind.Object && rope.GetProperty("rope_type").GetString() == "yarn" ? RopeScaling.Yarn : RopeScaling.None,
                Theta = Real(rope, "rope_theta", 10000),
                Factor = Real(rope, "factor"),
                MaxPosition = Integer(config, "max_position_embeddings"),
                OriginalMaxPosition = (int)Real(rope, "original_max_position_embeddings"),
                BetaFast = Real(rope, "beta_fast", 32),
                BetaSlow = Real(rope, "beta_slow", 1),
                MscaleNumerator = Real(rope, "mscale"),
                MscaleAllDim = Real(rope, "mscale_all_dim"),
            },
        };
    }

    private static RopeLayout Layout(string family, JsonElement config) => family switch
    {
        "kimi_linear" => RopeLayout.None,
        "minicpm3" or "hy_v4" => RopeLayout.HalfSplit,
        _ when config.TryGetProperty("rope_interleave", out JsonElement interleave) && !interleave.GetBoolean() => RopeLayout.HalfSplit,
        _ => RopeLayout.Interleaved,
    };

    private static int Integer(JsonElement parent, string key) => (int)Real(parent, key);

    private static double Real(JsonElement parent, string key, double absent = 0)
        => parent.ValueKind == JsonValueKind.Object && parent.TryGetProperty(key, out JsonElement value) && value.ValueKind == JsonValueKind.Number
            ? value.GetDouble()
            : absent;
}
