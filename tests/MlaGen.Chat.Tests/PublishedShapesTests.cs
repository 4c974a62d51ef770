using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Chat.Engine;
using MlaGen.Models;
using MlaGen.Tests.Files;

namespace MlaGen.Chat.Tests;

/// <summary>Published configurations find their class: what is missing then is the weights, and nothing is said of classes.</summary>
public sealed class PublishedShapesTests
{
    private const string Yarn = "\"rope_scaling\": {\"type\": \"yarn\", \"original_max_position_embeddings\": 4096, ";
    private const string Wide = "\"q_lora_rank\": 1536, \"kv_lora_rank\": 512, \"qk_nope_head_dim\": 128, \"qk_rope_head_dim\": 64, \"v_head_dim\": 128, ";
    private const string Lite = "\"q_lora_rank\": null, \"kv_lora_rank\": 512, \"qk_nope_head_dim\": 128, \"qk_rope_head_dim\": 64, \"v_head_dim\": 128, ";
    private const string Experts = "\"n_routed_experts\": 64, \"num_experts_per_tok\": 6, \"n_shared_experts\": 2, \"moe_intermediate_size\": 1408, \"first_k_dense_replace\": 1, \"n_group\": 1, \"topk_group\": 1, \"routed_scaling_factor\": 1.0, ";
    private const string V2 = "\"model_type\": \"deepseek_v2\", \"scoring_func\": \"softmax\", \"topk_method\": \"greedy\", \"norm_topk_prob\": false, " + Experts;
    private const string V3 = "\"model_type\": \"deepseek_v3\", \"scoring_func\": \"sigmoid\", \"topk_method\": \"noaux_tc\", \"norm_topk_prob\": true, " + Experts;

    public static TheoryData<string, string> Published => new()
    {
        { nameof(DeepSeekV2LiteAttention), V2 + Lite + Yarn + "\"factor\": 40, \"mscale\": 0.707, \"mscale_all_dim\": 0.707}, \"rope_theta\": 10000, \"hidden_size\": 2048, \"num_attention_heads\": 16, \"max_position_embeddings\": 163840" },
        { nameof(DeepSeekV2Attention), V2 + Wide + Yarn + "\"factor\": 40, \"mscale\": 0.707, \"mscale_all_dim\": 0.707}, \"rope_theta\": 10000, \"hidden_size\": 5120, \"num_attention_heads\": 128, \"max_position_embeddings\": 163840" },
        { nameof(DeepSeekV25Attention), V2 + Wide + Yarn + "\"factor\": 40, \"mscale\": 1.0, \"mscale_all_dim\": 1.0}, \"rope_theta\": 10000, \"hidden_size\": 5120, \"num_attention_heads\": 128, \"max_position_embeddings\": 163840" },
        { nameof(DeepSeekV3Attention), V3 + Wide + Yarn + "\"factor\": 40, \"mscale\": 1.0, \"mscale_all_dim\": 1.0}, \"rope_theta\": 10000, \"hidden_size\": 7168, \"num_attention_heads\": 128, \"max_position_embeddings\": 163840" },
        { nameof(KimiK2Attention), V3 + Wide + Yarn + "\"factor\": 32, \"beta_fast\": 1.0, \"beta_slow\": 1.0, \"mscale\": 1.0, \"mscale_all_dim\": 1.0}, \"rope_theta\": 50000, \"hidden_size\": 7168, \"num_attention_heads\": 64, \"max_position_embeddings\": 131072" },
        { nameof(KimiK2LongAttention), V3 + Wide + Yarn + "\"factor\": 64, \"beta_fast\": 1.0, \"beta_slow\": 1.0, \"mscale\": 1.0, \"mscale_all_dim\": 1.0}, \"rope_theta\": 50000, \"hidden_size\": 7168, \"num_attention_heads\": 64, \"max_position_embeddings\": 262144" },
        { nameof(KimiK2ThinkingAttention), V3 + Wide + Yarn + "\"factor\": 64, \"beta_fast\": 32.0, \"beta_slow\": 1.0, \"mscale\": 1.0, \"mscale_all_dim\": 1.0}, \"rope_theta\": 50000, \"hidden_size\": 7168, \"num_attention_heads\": 64, \"max_position_embeddings\": 262144" },
        { nameof(MoonlightAttention), V3 + Lite + "\"rope_theta\": 50000, \"hidden_size\": 2048, \"num_attention_heads\": 16, \"max_position_embeddings\": 8192" },
    };

    /// <summary>The numbers of published models that differ from a small one's of the same family.</summary>
    public static TheoryData<string, string, string> Families => new()
    {
        { nameof(Glm47FlashAttention), "glm-4.7-flash", """{"hidden_size": 2048, "num_attention_heads": 20, "q_lora_rank": 768, "kv_lora_rank": 512, "qk_nope_head_dim": 192, "qk_rope_head_dim": 64, "v_head_dim": 256, "max_position_embeddings": 202752}""" },
        { nameof(YoutuAttention), "youtu", """{"hidden_size": 2048, "num_attention_heads": 16, "q_lora_rank": 1536, "kv_lora_rank": 512, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 128, "max_position_embeddings": 131072}""" },
        {
            nameof(MiniCpm3Attention), "minicpm3", """
            {"hidden_size": 2560, "num_attention_heads": 40, "q_lora_rank": 768, "kv_lora_rank": 256, "qk_nope_head_dim": 64, "qk_rope_head_dim": 32, "v_head_dim": null, "max_position_embeddings": 32768, "rope_parameters": null,
             "rope_scaling": {"type": "longrope", "original_max_position_embeddings": 32768,
             "short_factor": [1.0591234137867171, 1.1241891283591912, 1.2596935748670968, 1.5380380402321725, 2.093982484148734, 3.1446935121267696, 4.937952647693647, 7.524541999994549, 10.475458000005451, 13.062047352306353, 14.85530648787323, 15.906017515851266, 16.461961959767827, 16.740306425132907, 16.87581087164081, 16.940876586213285],
             "long_factor": [1.0591234137867171, 1.1241891283591912, 1.2596935748670968, 1.5380380402321725, 2.093982484148734, 3.1446935121267696, 4.937952647693647, 7.524541999994549, 10.475458000005451, 13.062047352306353, 14.85530648787323, 15.906017515851266, 16.461961959767827, 16.740306425132907, 16.87581087164081, 16.940876586213285]}}
            """
        },
        { nameof(AXK1Attention), "axk1", """{"hidden_size": 7168, "num_attention_heads": 64, "q_lora_rank": 1536, "kv_lora_rank": 512, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 128, "max_position_embeddings": 131072}""" },
        {
            nameof(Mistral4Attention), "mistral-4", """
            {"hidden_size": 4096, "num_attention_heads": 32, "q_lora_rank": 1024, "kv_lora_rank": 256, "qk_nope_head_dim": 64, "qk_rope_head_dim": 64, "v_head_dim": 128, "max_position_embeddings": 1048576,
             "rope_parameters": {"rope_type": "yarn", "rope_theta": 10000.0, "factor": 128.0, "original_max_position_embeddings": 8192, "beta_fast": 32.0, "beta_slow": 1.0, "mscale": 1.0, "mscale_all_dim": 1.0, "llama_4_scaling_beta": 0.1, "partial_rotary_factor": 0.5}}
            """
        },
        { nameof(LongCatFlashAttention), "longcat-flash", """{"hidden_size": 6144, "num_attention_heads": 64, "q_lora_rank": 1536, "kv_lora_rank": 512, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 128, "max_position_embeddings": 131072}""" },
        {
            nameof(DeepSeekV32Attention), "deepseek-v3.2", """
            {"hidden_size": 7168, "num_attention_heads": 128, "q_lora_rank": 1536, "kv_lora_rank": 512, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 128, "max_position_embeddings": 163840,
             "index_n_heads": 64, "index_head_dim": 128, "index_topk": 2048,
             "rope_parameters": {"rope_type": "yarn", "rope_theta": 10000.0, "factor": 40, "original_max_position_embeddings": 4096, "beta_fast": 32, "beta_slow": 1, "mscale": 1.0, "mscale_all_dim": 1.0}}
            """
        },
        {
            nameof(Glm5Attention), "glm-5.2", """
            {"hidden_size": 6144, "num_attention_heads": 64, "q_lora_rank": 2048, "kv_lora_rank": 512, "qk_nope_head_dim": 192, "qk_rope_head_dim": 64, "v_head_dim": 256, "max_position_embeddings": 202752,
             "index_n_heads": 32, "index_head_dim": 128, "index_topk": 2048, "index_topk_freq": null, "indexer_types": null}
            """
        },
        {
            nameof(Glm52Attention), "glm-5.2", """
            {"hidden_size": 6144, "num_attention_heads": 64, "q_lora_rank": 2048, "kv_lora_rank": 512, "qk_nope_head_dim": 192, "qk_rope_head_dim": 64, "v_head_dim": 256, "max_position_embeddings": 1048576,
             "index_n_heads": 32, "index_head_dim": 128, "index_topk": 2048, "indexer_types": null, "mlp_layer_types": null, "num_hidden_layers": 78, "rope_parameters": {"rope_type": "default", "rope_theta": 8000000}}
            """
        },
        {
            nameof(AXK2LightAttention), "axk2", """
            {"hidden_size": 2048, "num_attention_heads": 32, "q_lora_rank": 384, "kv_lora_rank": 128, "qk_nope_head_dim": 64, "qk_rope_head_dim": 32, "v_head_dim": 64, "max_position_embeddings": 131072,
             "index_n_heads": 16, "index_head_dim": 128, "index_topk": 2048}
            """
        },
        {
            nameof(Hy4Attention), "hy4", """
            {"hidden_size": 2816, "num_attention_heads": 32, "q_lora_rank": 1536, "kv_lora_rank": 512, "qk_nope_head_dim": 192, "qk_rope_head_dim": 64, "v_head_dim": 256, "max_position_embeddings": 262144,
             "index_n_heads": 16, "index_head_dim": 128, "index_topk": 2048, "indexer_types": null, "mlp_layer_types": null, "first_k_dense_replace": 1, "num_hidden_layers": 34}
            """
        },
    };

    public static TheoryData<string> Small => [.. Directory.GetDirectories(Path.Combine(AppContext.BaseDirectory, "Configs")).Select(static directory => Path.GetFileName(directory)!).Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(Published))]
    public void Configuration_finds_its_class(string name, string config) =>
        CheckFinds(name, $$"""{{{config}}, "num_hidden_layers": 2, "num_key_value_heads": 16, "intermediate_size": 64, "vocab_size": 64, "rms_norm_eps": 1e-6, "hidden_act": "silu", "attention_bias": false}""");

    [Theory]
    [MemberData(nameof(Families))]
    public void Configuration_of_a_family_finds_its_class(string name, string family, string numbers)
    {
        JsonObject config = JsonNode.Parse(File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Configs", family, "config.json")))!.AsObject();
        foreach ((string key, JsonNode? value) in JsonNode.Parse(numbers)!.AsObject())
        {
            config.Remove(key);
            if (value is not null)
            {
                config[key] = value.DeepClone();
            }
        }

        CheckFinds(name, config.ToJsonString());
    }

    [Fact]
    public void Every_class_has_a_configuration_that_finds_it() => Assert.Equal(
        KnownModels.Classes.Select(static known => known.Name).Where(static name => name != nameof(StoryAttention)).Order(StringComparer.Ordinal),
        Published.Select(static row => (string)row[0]).Concat(Families.Select(static row => (string)row[0])).Order(StringComparer.Ordinal));

    [Theory]
    [MemberData(nameof(Small))]
    public void Directory_that_fits_none_gets_the_two_lines_that_would_add_its_class(string name)
    {
        string problem = Assert.Throws<ModelConfigException>(() => LanguageModel.Load(Path.Combine(AppContext.BaseDirectory, "Configs", name), KnownModels.Classes)).Message;

        string[] lines = problem.Split('\n');
        Assert.Equal($"    <MlaModelConfig Include=\"{name}/config.json\" />", lines[^2]);
        Assert.Matches($"^    \\[MlaAttention\\(\"{Regex.Escape(name)}\"\\)\\] public sealed partial class [A-Z][A-Za-z0-9]*Attention;$", lines[^1]);
        Assert.All(KnownModels.Classes, known => Assert.Contains($"{known.Name} does not: ", problem, StringComparison.Ordinal));
    }

    private static void CheckFinds(string name, string config)
    {
        using TemporaryDirectory directory = new();
        directory.Write("config.json", config);
        AttentionClass[] own = [.. KnownModels.Classes.Where(candidate => candidate.Name == name)];
        AttentionClass[] others = [.. KnownModels.Classes.Where(candidate => candidate.Name != name)];

        Exception? found = Record.Exception(() => LanguageModel.Load(directory.Path, own));
        Assert.True(found is CheckpointException or IOException, found?.Message);
        Assert.Contains("fits no class", Assert.Throws<ModelConfigException>(() => LanguageModel.Load(directory.Path, others)).Message, StringComparison.Ordinal);
    }
}
