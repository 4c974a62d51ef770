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

    [Theory]
    [MemberData(nameof(Published))]
    public void Configuration_finds_its_class(string name, string config)
    {
        using TemporaryDirectory directory = new();
        directory.Write("config.json", $$"""{{{config}}, "num_hidden_layers": 2, "num_key_value_heads": 16, "intermediate_size": 64, "vocab_size": 64, "rms_norm_eps": 1e-6, "hidden_act": "silu", "attention_bias": false}""");
        AttentionClass[] own = [.. KnownModels.Classes.Where(candidate => candidate.Name == name)];
        AttentionClass[] others = [.. KnownModels.Classes.Where(candidate => candidate.Name != name)];

        Exception? found = Record.Exception(() => LanguageModel.Load(directory.Path, own));
        Assert.True(found is CheckpointException or IOException, found?.Message);
        Assert.Contains("fits no class", Assert.Throws<ModelConfigException>(() => LanguageModel.Load(directory.Path, others)).Message, StringComparison.Ordinal);
    }
}
