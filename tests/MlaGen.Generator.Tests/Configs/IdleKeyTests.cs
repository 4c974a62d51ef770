using MlaGen.Generator.Configs;
using MlaGen.Generator.Model;

namespace MlaGen.Generator.Tests.Configs;

/// <summary>A key in its off position changes nothing, and a key of another part of the model is none of attention's; neither hides the reason of a refusal.</summary>
public class IdleKeyTests
{
    private static readonly string[] _guards =
    [
        "mla_use_output_gate", "gated_attention_proj_granularity_type", "use_output_gate", "attn_output_gate", "attention_output_gate", "use_gated_attention", "gated_attention",
        "param_sink_number", "use_attention_sinks", "attention_sinks", "attn_sink", "swa_layers", "use_sliding_window", "sliding_window_list", "router_sliding_window",
        "compress_ratios", "index_kpool", "use_mhc", "mhc", "use_bias", "use_qkv_bias", "qkv_bias", "use_qk_norm", "qk_norm", "qk_layernorm", "clip_qkv", "attn_logit_softcapping", "alibi",
    ];

    // Keys that other readers judge, and some that no list names.
    private static readonly string[] _others =
    [
        "sliding_window", "o_lora_rank", "mla_use_nope", "use_mla_nope", "index_topk", "index_n_heads", "index_head_dim", "layer_types", "llama_4_scaling", "quantization_config",
        "value_norm", "up_proj_norm", "attn_something_new", "window_attention", "attention_sink_tokens", "query_gate",
    ];

    // Off is what these refuse.
    private static readonly string[] _reversed = ["qk_latent_layernorm", "use_rmsnorm", "is_causal", "causal", "attention_method"];

    /// <summary>Every key that is refused when it does something, with a value under which it does.</summary>
    public static TheoryData<string, string> Guards
    {
        get
        {
            var data = new TheoryData<string, string>();
            foreach (string key in _guards.Concat(_others))
            {
                data.Add(key, key switch
                {
                    "gated_attention_proj_granularity_type" => "\"head_wise\"",
                    "swa_layers" or "sliding_window_list" or "compress_ratios" => "[0, 128]",
                    "param_sink_number" or "sliding_window" or "o_lora_rank" or "index_topk" or "index_n_heads" or "index_head_dim" or "attention_sink_tokens" => "128",
                    "clip_qkv" or "attn_logit_softcapping" => "30.0",
                    "layer_types" => "[\"linear_attention\"]",
                    "llama_4_scaling" => "{\"beta\": 0.1}",
                    "quantization_config" => "{\"quant_method\": \"awq\", \"bits\": 4}",
                    _ => "true",
                });
            }

            return data;
        }
    }

    /// <summary>Rotary keys with a value under which they do something, or are said to do nothing beside others.</summary>
    public static TheoryData<string, string> RotaryGuards => new()
    {
        { "factor", "40" },
        { "attention_factor", "1.5" },
        { "llama_4_scaling_beta", "0.1" },
        { "finetuned", "true" },
        { "mscale", "0.7" },
        { "mscale_all_dim", "0.7" },
    };

    [Fact]
    public void No_guard_is_left_out() => Assert.Equal(_guards.Concat(_reversed).Order(), AttentionGuards.Keys.Order());

    [Theory]
    [MemberData(nameof(Guards))]
    public void A_guard_is_refused_when_it_is_on_and_accepted_when_it_is_off(string key, string on)
    {
        Assert.Null(ConfigRun.Resolve(ConfigRun.Parse(Changed((key, on)))));
        foreach (string value in new[] { "false", "null" }.Concat(key is "layer_types" or "llama_4_scaling" or "quantization_config" ? [] : ["0", "0.0"]))
        {
            string json = Changed((key, value));

            Assert.Empty(ConfigRun.Problems(json));
            Assert.Equal(ConfigRun.Spec(ConfigRun.DeepSeekV3), ConfigRun.Spec(json));
        }
    }

    [Theory]
    [MemberData(nameof(RotaryGuards))]
    public void A_rotary_guard_is_spoken_of_when_it_is_on_and_accepted_when_it_is_off(string key, string on)
    {
        string plain = Changed(("rope_scaling", "{\"type\":\"default\"}"));
        Assert.Contains($"\"{key}\":{on} | ", Assert.Single(ConfigRun.Problems(ConfigRun.With(plain, ("rope_scaling." + key, on)))), StringComparison.Ordinal);
        foreach (string value in key == "finetuned" ? new[] { "false", "null" } : ["0", "null"])
        {
            string json = ConfigRun.With(plain, ("rope_scaling." + key, value));

            Assert.Empty(ConfigRun.Problems(json));
            Assert.Equal(ConfigRun.Spec(plain), ConfigRun.Spec(json));
        }
    }

    [Theory]
    [InlineData("rotary_dim", "64")]
    [InlineData("rotary_dim", "64.0")]
    [InlineData("rope_head_dim", "64")]
    [InlineData("partial_rotary_factor", "1.0")]
    [InlineData("use_rmsnorm", "true")]
    [InlineData("qk_latent_layernorm", "true")]
    [InlineData("is_causal", "true")]
    [InlineData("gated_attention_proj_granularity_type", "\"none\"")]
    [InlineData("compress_ratios", "[0, 0]")]
    public void A_key_that_says_what_the_layer_does_anyway_is_accepted(string key, string value)
        => Assert.Equal(ConfigRun.Spec(ConfigRun.DeepSeekV3), ConfigRun.Spec(Changed((key, value))));

    // Off is no idle position where the layer always does what is switched off, or where the name says the opposite.
    [Theory]
    [InlineData("qk_latent_layernorm", "false")]
    [InlineData("use_rmsnorm", "false")]
    [InlineData("is_causal", "false")]
    [InlineData("causal", "false")]
    [InlineData("attention_method", "\"MHA\"")]
    [InlineData("use_latent_norm", "false")]
    [InlineData("kv_a_layernorm", "false")]
    [InlineData("q_norm", "false")]
    [InlineData("use_rope", "false")]
    [InlineData("use_rotary_embeddings", "false")]
    [InlineData("scale_attn_weights", "false")]
    [InlineData("attention_multiplier", "0")]
    [InlineData("use_causal_mask", "false")]
    [InlineData("disable_attn_gate", "false")]
    [InlineData("rotary_dim", "32")]
    [InlineData("rotary_dim", "0")]
    [InlineData("mla_use_nope", "true")]
    [InlineData("use_mla_nope", "true")]
    [InlineData("compress_ratios", "[0, 2]")]
    [InlineData("gated_attention_proj_granularity_type", "\"head_wise\"")]
    [InlineData("rope_scaling.apply_scale", "false")]
    public void A_key_that_switches_off_what_the_layer_does_is_refused(string key, string value)
        => Assert.Null(ConfigRun.Resolve(ConfigRun.Parse(Changed((key, value)))));

    [Theory]
    [InlineData("latent_moe_use_norm", "true")]
    [InlineData("moe_latent_size", "1024")]
    [InlineData("attn_res_block_size", "12")]
    [InlineData("attention_residual_multiplier", "0.5")]
    [InlineData("router_softmax_temperature", "2.0")]
    [InlineData("expert_kv_cache", "1")]
    [InlineData("mlp_norm_position", "\"pre\"")]
    [InlineData("ffn_latent_dim", "64")]
    public void A_key_of_the_feed_forward_part_or_the_residual_stream_is_no_key_of_attention(string key, string value)
        => Assert.Empty(ConfigRun.Problems(Changed((key, value))));

    [Theory]
    [InlineData("residual_attention", "true")]
    [InlineData("moe_attention", "true")]
    [InlineData("latent_use_norm", "true")]
    public void A_key_of_attention_stays_one(string key, string value)
        => Assert.StartsWith("MLA0107 ", Assert.Single(ConfigRun.Problems(Changed((key, value)))), StringComparison.Ordinal);

    [Theory]
    [InlineData("mla_use_output_gate", "true", "latent_moe_use_norm", "true")]
    [InlineData("mla_use_output_gate", "true", "attn_res_block_size", "12")]
    [InlineData("gated_attention_proj_granularity_type", "\"head_wise\"", "value_norm", "false")]
    [InlineData("attn_output_gate", "true", "attn_something_new", "3")]
    [InlineData("param_sink_number", "128", "kv_something_new", "3")]
    public void The_reason_of_a_refusal_is_the_only_thing_that_is_reported(string key, string value, string other, string otherValue)
    {
        string problem = Assert.Single(ConfigRun.Problems(Changed((other, otherValue), (key, value))));

        Assert.StartsWith($"MLA0108 \"{key}\":{value} | ", problem, StringComparison.Ordinal);
    }

    [Fact]
    public void A_bias_is_generated_when_it_is_on()
    {
        Assert.True(ConfigRun.Spec(Changed(("attention_bias", "true"))).AttentionBias);
        foreach (string off in new[] { "false", "null", "0", "0.0" })
        {
            Assert.Equal(ConfigRun.Spec(ConfigRun.DeepSeekV3), ConfigRun.Spec(Changed(("attention_bias", off))));
        }
    }

    [Fact]
    public void An_indexer_that_selects_nothing_is_none()
    {
        string json = Changed(("index_topk", "0"), ("index_n_heads", "64"), ("index_head_dim", "128"));

        Assert.Empty(ConfigRun.Problems(json));
        Assert.Equal(ConfigRun.Spec(ConfigRun.DeepSeekV3), ConfigRun.Spec(json));
    }

    private static string Changed(params (string Key, string? Value)[] members) => ConfigRun.With(ConfigRun.DeepSeekV3, members);
}
