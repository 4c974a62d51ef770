using MlaGen.Generator.Configs;
using MlaGen.Generator.Diagnostics;
using MlaGen.Generator.Model;
using MlaGen.Generator.Parsing;

namespace MlaGen.Generator.Tests.Configs;

/// <summary>One configuration used by one class, without a compilation: what becomes of it.</summary>
internal static class ConfigRun
{
    public const string Path = "/models/model/config.json";

    /// <summary>DeepSeek-V3, without its experts: the base of the tests that change one thing.</summary>
    public const string DeepSeekV3 =
        """
        {
          "model_type": "deepseek_v3",
          "hidden_size": 7168,
          "num_attention_heads": 128,
          "q_lora_rank": 1536,
          "kv_lora_rank": 512,
          "qk_nope_head_dim": 128,
          "qk_rope_head_dim": 64,
          "v_head_dim": 128,
          "max_position_embeddings": 163840,
          "rms_norm_eps": 1e-06,
          "rope_theta": 10000,
          "rope_scaling": {
            "type": "yarn",
            "factor": 40,
            "original_max_position_embeddings": 4096,
            "beta_fast": 32,
            "beta_slow": 1,
            "mscale": 1.0,
            "mscale_all_dim": 1.0
          }
        }
        """;

    public static ParsedConfig Parse(string json) => ConfigParser.Parse("model", Path, json);

    public static AttributeModel Attribute(MlaSettings? settings = null) => new(
        new TargetClass("Demo", EquatableArray<string>.Empty, "Model", "public"),
        "model",
        settings ?? MlaSettings.Empty,
        EquatableArray<Problem>.Empty);

    public static MlaSpec? Resolve(ParsedConfig config, MlaSettings? settings = null)
        => SpecResolver.Resolve(Attribute(settings), new EquatableArray<ConfigModel>([config.Model]));

    public static MlaSpec Spec(string json, MlaSettings? settings = null)
    {
        ParsedConfig config = Parse(json);
        Assert.Empty(config.Problems.Where(static problem => problem.IsError).Select(Show));
        MlaSpec? spec = Resolve(config, settings);
        Assert.NotNull(spec);
        return spec;
    }

    /// <summary>Each problem as <c>ID "text it stands at" message</c>.</summary>
    public static string[] Problems(string json)
        => [.. Parse(json).Problems.Select(problem => $"{problem.Rule.Id} {json.Substring(problem.Span.Start, problem.Span.Length)} | {Message(problem)}")];

    /// <summary>The base with members of its object replaced or added; null removes one.</summary>
    public static string With(string json, params (string Key, string? Value)[] members)
    {
        System.Text.Json.Nodes.JsonObject root = System.Text.Json.Nodes.JsonNode.Parse(json)!.AsObject();
        foreach ((string path, string? value) in members)
        {
            string[] parts = path.Split('.');
            System.Text.Json.Nodes.JsonObject parent = parts.Length == 1 ? root : root[parts[0]]!.AsObject();
            parent.Remove(parts[^1]);
            if (value is not null)
            {
                parent[parts[^1]] = System.Text.Json.Nodes.JsonNode.Parse(value);
            }
        }

        return root.ToJsonString(_readable);
    }

    public static string Show(ConfigProblem problem) => problem.Rule.Id + " " + Message(problem);

    private static readonly System.Text.Json.JsonSerializerOptions _readable = new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private static string Message(ConfigProblem problem)
        => string.Format(System.Globalization.CultureInfo.InvariantCulture, problem.Rule.MessageFormat.ToString(System.Globalization.CultureInfo.InvariantCulture), problem.Arguments);
}
