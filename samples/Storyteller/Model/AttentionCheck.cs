using System.Globalization;
using System.Text.Json;

namespace Storyteller.Model;

/// <summary>
/// Compares a model's <c>config.json</c> with the one that <see cref="StoryAttention"/> was compiled from, which is embedded in the program: in
/// everything that attention depends on they must agree.
/// </summary>
internal static class AttentionCheck
{
    /// <summary>Keys of the attention, each with the value that its absence means; none for those that must be there.</summary>
    private static readonly (string Key, double Absent)[] _dimensions =
    [
        ("hidden_size", double.NaN), ("num_attention_heads", double.NaN), ("q_lora_rank", 0), ("kv_lora_rank", double.NaN), ("qk_nope_head_dim", double.NaN),
        ("qk_rope_head_dim", double.NaN), ("v_head_dim", double.NaN), ("max_position_embeddings", double.NaN), ("attention_bias", 0), ("rope_interleave", 1),
    ];

    private static readonly (string Key, double Absent)[] _rope =
    [
        ("factor", double.NaN), ("original_max_position_embeddings", double.NaN), ("beta_fast", 32), ("beta_slow", 1), ("mscale", 0), ("mscale_all_dim", 0),
        ("attention_factor", 0), ("truncate", 1),
    ];

    /// <exception cref="InvalidDataException">A value differs: the message names it, the file's value and the class's.</exception>
    public static void Run(JsonElement config, string path)
    {
        using Stream stream = typeof(AttentionCheck).Assembly.GetManifestResourceStream("StoryModel/config.json")!;
        using JsonDocument document = JsonDocument.Parse(stream);
        JsonElement compiled = document.RootElement;
        foreach ((string key, double absent) in _dimensions)
        {
            Compare(config, compiled, key, absent, path);
        }

        (JsonElement rope, string type) = Rope(config, path);
        (JsonElement compiledRope, string compiledType) = Rope(compiled, path);
        if (type != compiledType)
        {
            throw new InvalidDataException($"{path}: rope_type is {type}, but {nameof(StoryAttention)} was compiled for {compiledType}");
        }

        // Older configurations keep the base beside the scaling, newer ones inside it.
        Compare(rope.TryGetProperty("rope_theta", out _) ? rope : config, compiledRope, "rope_theta", 10000, path);
        foreach ((string key, double absent) in _rope)
        {
            Compare(rope, compiledRope, key, absent, path);
        }
    }

    private static (JsonElement Rope, string Type) Rope(JsonElement config, string path)
    {
        string section = config.TryGetProperty("rope_parameters", out JsonElement rope) ? "rope_parameters" : "rope_scaling";
        if (!config.TryGetProperty(section, out rope) || rope.ValueKind != JsonValueKind.Object)
        {
            throw new InvalidDataException($"{path}: rope_parameters are missing, but {nameof(StoryAttention)} was compiled for YaRN");
        }

        bool named = (rope.TryGetProperty("rope_type", out JsonElement type) || rope.TryGetProperty("type", out type)) && type.ValueKind == JsonValueKind.String;
        return (rope, named ? type.GetString()! : "missing");
    }

    private static void Compare(JsonElement found, JsonElement compiled, string key, double absent, string path)
    {
        double value = Number(found, key, absent, path);
        double expected = Number(compiled, key, absent, path);
        if (value != expected)
        {
            throw new InvalidDataException(string.Create(
                CultureInfo.InvariantCulture,
                $"{path}: {key} is {(double.IsNaN(value) ? "missing" : value)}, but {nameof(StoryAttention)} was compiled for {expected}"));
        }
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
