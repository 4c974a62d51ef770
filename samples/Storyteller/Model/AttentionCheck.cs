using System.Globalization;
using System.Reflection;
using System.Text.Json;
using MlaGen;

namespace Storyteller.Model;

/// <summary>Compares a model's <c>config.json</c> with the shape and the rotary parameters that <see cref="StoryAttention"/> was compiled for.</summary>
internal static class AttentionCheck
{
    /// <exception cref="InvalidDataException">A value differs: the message names it, the file's value and the class's.</exception>
    public static void Run(JsonElement config, string path)
    {
        void Check(JsonElement section, string key, double compiled, double absent = double.NaN)
        {
            double value = Number(section, key, absent, path);
            if (value != compiled)
            {
                throw new InvalidDataException(string.Create(
                    CultureInfo.InvariantCulture,
                    $"{path}: {key} is {(double.IsNaN(value) ? "missing" : value)}, but {nameof(StoryAttention)} was compiled for {compiled}"));
            }
        }

        Check(config, "hidden_size", StoryAttention.HiddenSize);
        Check(config, "num_attention_heads", StoryAttention.Heads);
        Check(config, "q_lora_rank", StoryAttention.QLoraRank, absent: 0);
        Check(config, "kv_lora_rank", StoryAttention.KvLoraRank);
        Check(config, "qk_nope_head_dim", StoryAttention.QkNopeHeadDim);
        Check(config, "qk_rope_head_dim", StoryAttention.QkRopeHeadDim);
        Check(config, "v_head_dim", StoryAttention.VHeadDim);
        Check(config, "max_position_embeddings", StoryAttention.MaxPositionEmbeddings);

        MlaAttentionAttribute compiled = typeof(StoryAttention).GetCustomAttribute<MlaAttentionAttribute>()!;
        Check(config, "attention_bias", compiled.AttentionBias ? 1 : 0, absent: 0);
        Check(config, "rope_interleave", compiled.RopeLayout == RopeLayout.Interleaved ? 1 : 0, absent: 1);

        // Older configurations keep the base beside the scaling, newer ones inside it.
        string section = config.TryGetProperty("rope_parameters", out JsonElement rope) ? "rope_parameters" : "rope_scaling";
        if (!config.TryGetProperty(section, out rope) || rope.ValueKind != JsonValueKind.Object)
        {
            throw new InvalidDataException($"{path}: rope_parameters are missing, but {nameof(StoryAttention)} was compiled for YaRN");
        }

        string type = (rope.TryGetProperty("rope_type", out JsonElement name) || rope.TryGetProperty("type", out name)) && name.ValueKind == JsonValueKind.String ? name.GetString()! : "missing";
        if (type != "yarn")
        {
            throw new InvalidDataException($"{path}: {section}: rope_type is {type}, but {nameof(StoryAttention)} was compiled for yarn");
        }

        Check(rope.TryGetProperty("rope_theta", out _) ? rope : config, "rope_theta", compiled.RopeTheta, absent: 10000);
        Check(rope, "factor", compiled.RopeFactor);
        Check(rope, "original_max_position_embeddings", compiled.OriginalMaxPositionEmbeddings);
        Check(rope, "beta_fast", compiled.BetaFast, absent: 32);
        Check(rope, "beta_slow", compiled.BetaSlow, absent: 1);
        Check(rope, "mscale", compiled.Mscale, absent: 0);
        Check(rope, "mscale_all_dim", compiled.MscaleAllDim, absent: 0);
        Check(rope, "attention_factor", compiled.AttentionFactor, absent: 0);
        Check(rope, "truncate", compiled.RopeTruncate ? 1 : 0, absent: 1);
    }

    private static double Number(JsonElement section, string key, double absent, string path)
    {
        if (!section.TryGetProperty(key, out JsonElement element))
        {
            return absent;
        }

        return element.ValueKind switch
        {
            JsonValueKind.Number => element.GetDouble(),
            JsonValueKind.True => 1,
            JsonValueKind.False => 0,
            JsonValueKind.Null => absent,
            _ => throw new InvalidDataException($"{path}: {key} is {element.GetRawText()}, not a number"),
        };
    }
}
