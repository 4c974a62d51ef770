using System.Text.Json;
using System.Text.Json.Nodes;

namespace MlaGen.Generator.Tests.Configs;

/// <summary>One row of models.json, the table of published models, and the configurations that its numbers make.</summary>
public sealed class PublishedModel(JsonElement row)
{
    public static IReadOnlyList<PublishedModel> All { get; } = Load();

    public string Name => row.GetProperty("name").GetString()!;

    public string Support => row.GetProperty("support_recommendation").GetString()!;

    /// <summary>Whether its attention can be generated and all its numbers are known.</summary>
    public bool IsSupportable
        => (Support.StartsWith("full", StringComparison.Ordinal) || Support == "attention: full (NoPE)") && Number("num_attention_heads") is not null;

    public bool IsSparse => row.GetProperty("dsa").ValueKind == JsonValueKind.Object;

    /// <summary>The model types under which it is published: of the file, and of the language model nested in it.</summary>
    public IReadOnlyList<(string Outer, string? Inner)> Types => row.GetProperty("model_type").GetString()! switch
    {
        "youtu / youtu_llm" => [("youtu", null), ("youtu_llm", null)],
        "axk1 (older: AXK1)" => [("axk1", null), ("AXK1", null)],
        "kimi_k25 (text_config: kimi_k2 / deepseek_v3)" => [("kimi_k25", "kimi_k2"), ("kimi_k25", "deepseek_v3")],
        "kimi_k3 (text_config: kimi_linear)" => [("kimi_k3", "kimi_linear")],
        "kimi_vl" => [("kimi_vl", "deepseek_v3")],
        "deepseek_vl_v2" => [("deepseek_vl_v2", "deepseek_v2")],
        "glm5_next (text: glm5_next_text)" => [("glm5_next", "glm5_next_text")],
        "(params.json) mistral_large_3 / maps to mistral4" => [("mistral4", null)],
        string type => [(type, null)],
    };

    public double? Number(string key) => row.GetProperty(key) is { ValueKind: JsonValueKind.Number } number ? number.GetDouble() : null;

    public JsonElement? Rope => row.GetProperty("rope_scaling") is { ValueKind: JsonValueKind.Object } rope ? rope : null;

    /// <summary>Its configuration as transformers 4 or 5 writes it.</summary>
    public string Config((string Outer, string? Inner) type, bool hasRopeParameters)
    {
        JsonObject tower = Tower(type.Inner ?? type.Outer, hasRopeParameters);
        if (type.Inner is null)
        {
            return tower.ToJsonString();
        }

        string key = type.Outer == "deepseek_vl_v2" ? "language_config" : "text_config";
        return new JsonObject
        {
            ["model_type"] = type.Outer,
            [key] = tower,
            ["vision_config"] = new JsonObject { ["num_attention_heads"] = 16, ["attn_scale"] = 2.0 },
        }.ToJsonString();
    }

    /// <summary>The params.json that Mistral publishes.</summary>
    public string NativeParameters()
    {
        JsonElement yarn = Rope!.Value;
        return new JsonObject
        {
            ["dim"] = Number("hidden_size"),
            ["n_heads"] = Number("num_attention_heads"),
            ["n_kv_heads"] = Number("num_attention_heads"),
            ["n_layers"] = Number("num_hidden_layers"),
            ["norm_eps"] = Number("rms_norm_eps"),
            ["head_dim"] = 128,
            ["q_lora_rank"] = Number("q_lora_rank"),
            ["kv_lora_rank"] = Number("kv_lora_rank"),
            ["qk_nope_head_dim"] = Number("qk_nope_head_dim"),
            ["qk_rope_head_dim"] = Number("qk_rope_head_dim"),
            ["v_head_dim"] = Number("v_head_dim"),
            ["max_position_embeddings"] = Number("max_position_embeddings"),
            ["rope_theta"] = Number("rope_theta"),
            ["yarn"] = new JsonObject
            {
                ["factor"] = yarn.GetProperty("factor").GetDouble(),
                ["original_max_position_embeddings"] = yarn.GetProperty("original_max_position_embeddings").GetInt32(),
                ["beta"] = yarn.GetProperty("beta_fast").GetDouble(),
                ["alpha"] = yarn.GetProperty("beta_slow").GetDouble(),
                ["apply_scale"] = false,
            },
            ["llama_4_scaling"] = new JsonObject { ["original_max_position_embeddings"] = 8192, ["beta"] = 0.1 },
            ["moe"] = new JsonObject { ["num_experts"] = 128, ["routed_scale"] = 1.0 },
            ["vision_encoder"] = new JsonObject { ["num_attention_heads"] = 16 },
        }.ToJsonString();
    }

    public override string ToString() => Name;

    private JsonObject Tower(string type, bool hasRopeParameters)
    {
        JsonObject config = new() { ["model_type"] = type };
        string[] keys =
        [
            "hidden_size", "num_attention_heads", "num_hidden_layers", "q_lora_rank", "kv_lora_rank", "qk_nope_head_dim", "qk_rope_head_dim",
            "v_head_dim", "max_position_embeddings", "rms_norm_eps", "attention_bias",
        ];
        foreach (string key in keys)
        {
            config[key] = Node(row.GetProperty(key));
        }

        config["num_key_value_heads"] = Node(row.GetProperty("num_attention_heads"));
        foreach (string section in new[] { "dsa", "moe" })
        {
            if (row.GetProperty(section) is { ValueKind: JsonValueKind.Object } values)
            {
                foreach (JsonProperty value in values.EnumerateObject().Where(static value => value.Name is not "indexer_rope"))
                {
                    config[value.Name] = Node(value.Value);
                }
            }
        }

        AddRope(config, hasRopeParameters);
        return config;
    }

    private void AddRope(JsonObject config, bool hasRopeParameters)
    {
        JsonObject? rope = Rope is { } scaling ? (JsonObject)Node(scaling)! : null;
        JsonNode? theta = Node(row.GetProperty("rope_theta"));
        if (!hasRopeParameters)
        {
            config["rope_scaling"] = rope;
            config["rope_theta"] = theta;
            return;
        }

        rope ??= new JsonObject { ["type"] = "default" };
        rope["rope_type"] = rope["type"]!.DeepClone();
        rope.Remove("type");
        rope["rope_theta"] = theta;
        config["rope_parameters"] = rope;
    }

    private static JsonNode? Node(JsonElement element) => element.ValueKind == JsonValueKind.Null ? null : JsonNode.Parse(element.GetRawText());

    private static PublishedModel[] Load()
    {
        using FileStream stream = File.OpenRead(Path.Combine(AppContext.BaseDirectory, "Configs", "models.json"));
        JsonElement root = JsonSerializer.Deserialize<JsonElement>(stream);
        return [.. root.GetProperty("models").EnumerateArray().Select(static row => new PublishedModel(row))];
    }
}
