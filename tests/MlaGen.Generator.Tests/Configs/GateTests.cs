using MlaGen.Generator.Configs;
using MlaGen.Generator.Model;
using MlaGen.Generator.Planning;

namespace MlaGen.Generator.Tests.Configs;

/// <summary>Output gates and sinks as configurations ask for them: by a key, or by the model type alone.</summary>
public class GateTests
{
    /// <summary>Kimi-K3 as it is published, attention's keys of both towers.</summary>
    private const string KimiK3 =
        """
        {"architectures": ["KimiK3ForConditionalGeneration"], "model_type": "kimi_k3", "text_config": {"architectures": ["KimiLinearForCausalLM"], "model_type": "kimi_linear",
         "hidden_size": 7168, "num_attention_heads": 96, "num_key_value_heads": 96, "num_hidden_layers": 93, "q_lora_rank": 1536, "kv_lora_rank": 512, "qk_nope_head_dim": 128,
         "qk_rope_head_dim": 64, "v_head_dim": 128, "max_position_embeddings": 1048576, "rms_norm_eps": 1e-05, "mla_use_nope": true, "mla_use_output_gate": true, "attn_res_block_size": 12,
         "latent_moe_use_norm": true, "linear_attn_config": {"full_attn_layers": [4, 8, 93], "kda_layers": [1, 2, 3], "gate_lower_bound": -5.0, "head_dim": 128, "use_full_rank_gate": true},
         "quantization_config": {"quant_method": "compressed-tensors", "format": "mxfp4-pack-quantized", "ignore": ["re:.*self_attn.*", "re:.*lm_head.*"],
          "config_groups": {"group_0": {"format": "mxfp4-pack-quantized", "targets": ["Linear"], "weights": {"num_bits": 4, "type": "float", "group_size": 32, "strategy": "group"}}}}},
         "vision_config": {"_attn_implementation": "flash_attention_2", "attn_bias": false, "vt_num_attention_heads": 12}}
        """;

    /// <summary>Ling 3 tiny as it is published.</summary>
    private const string Ling3 =
        """
        {"architectures": ["BailingMoeV3ForCausalLM"], "model_type": "bailing_hybrid", "attention_dropout": 0.0, "hidden_size": 1536, "num_attention_heads": 16, "num_key_value_heads": 16,
         "num_kv_heads_for_linear_attn": 0, "head_dim": 128, "qk_head_dim": 192, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 128, "q_lora_rank": 256, "kv_lora_rank": 512,
         "gated_attention_proj_granularity_type": "head_wise", "group_norm_size": 1, "kda_lower_bound": -5, "kda_safe_gate": true, "use_kda_lora": false, "no_kda_lora": true,
         "layer_group_size": 4, "linear_silu": true, "max_position_embeddings": 131072, "max_window_layers": 20, "partial_rotary_factor": 0.5, "rotary_dim": 64, "rope_interleave": true,
         "rope_parameters": {"partial_rotary_factor": 0.5, "rope_theta": 6000000, "rope_type": "default"}, "rope_theta": 6000000, "rms_norm_eps": 1e-06, "up_proj_norm": false,
         "value_norm": false, "use_bias": false, "use_qkv_bias": false, "use_mla_nope": false, "use_nGPT": false, "use_qk_norm": true, "scale_router_input": false}
        """;

    /// <summary>A.X-K2: nothing in the file speaks of a gate of attention; its norms around the layer are gated.</summary>
    private const string Axk2 =
        """
        {"architectures": ["AXK2ForCausalLM"], "model_type": "axk2", "attention_bias": false, "attention_dropout": 0.0, "gated_norm_rank": 4, "head_dim": 64, "hidden_size": 384,
         "index_head_dim": 128, "index_n_heads": 16, "index_topk": 40, "kv_lora_rank": 128, "layer_types": ["deepseek_sparse_attention"], "max_position_embeddings": 512,
         "num_attention_heads": 32, "num_key_value_heads": 32, "q_lora_rank": 192, "qk_head_dim": 96, "qk_nope_head_dim": 64, "qk_rope_head_dim": 32, "rms_norm_eps": 1e-06,
         "rope_parameters": {"rope_theta": 10000.0, "rope_type": "default"}, "v_head_dim": 64}
        """;

    /// <summary>Hy4 as it is published.</summary>
    private const string Hy4 =
        """
        {"architectures": ["HYV4ForCausalLM"], "model_type": "hy_v4", "hidden_size": 2816, "num_attention_heads": 32, "num_key_value_heads": 32, "head_dim": 64,
         "max_position_embeddings": 262144, "rms_norm_eps": 1e-05, "q_lora_rank": 1536, "kv_lora_rank": 512, "qk_nope_head_dim": 192, "qk_rope_head_dim": 64, "qk_head_dim": 256,
         "v_head_dim": 256, "index_topk": 2048, "index_head_dim": 128, "index_n_heads": 16, "hc_mult": 4, "hc_magnitude": 2.0, "hc_eps": 1e-06, "swiglu_limit": 10.0,
         "learnable_sink_init": 0.0, "rope_parameters": {"rope_theta": 10000000.0, "rope_type": "default"}, "layer_types": ["deepseek_sparse_attention"], "indexer_types": ["full", "shared"]}
        """;

    [Fact]
    public void Kimi_K3_has_a_gate_for_each_element_and_no_rotation()
    {
        MlaSpec spec = ConfigRun.Spec(KimiK3);

        Assert.Equal(new Dimensions(7168, 96, 1536, 512, 128, 64, 128, 1048576), spec.Dimensions);
        Assert.Equal((Model.OutputGate.ElementWise, "g_proj", false, Model.RopeLayout.None), (spec.OutputGate, spec.OutputGateName, spec.AttentionSinks, spec.Rope.Layout));
        Assert.Equal(Math.Pow(192, -0.5), RopeConstants.For(spec).SoftmaxScale, 1e-15);
        Assert.Equal("[12288, 7168]", Assert.Single(ProjectionSpec.Of(spec), static projection => projection.Tensor == "g_proj").Shape);
    }

    [Fact]
    public void Ling_3_has_a_gate_for_each_head()
    {
        MlaSpec spec = ConfigRun.Spec(Ling3);

        Assert.Equal(new Dimensions(1536, 16, 256, 512, 128, 64, 128, 131072), spec.Dimensions);
        Assert.Equal((Model.OutputGate.HeadWise, "g_proj", false, Model.RopeLayout.Interleaved), (spec.OutputGate, spec.OutputGateName, spec.AttentionSinks, spec.Rope.Layout));
        Assert.Equal("[16, 1536]", Assert.Single(ProjectionSpec.Of(spec), static projection => projection.Tensor == "g_proj").Shape);
    }

    [Fact]
    public void AXK2_makes_its_gate_in_the_query_projection()
    {
        MlaSpec spec = ConfigRun.Spec(Axk2, new MlaSettings { AllowDense = true });

        Assert.Equal((Model.OutputGate.Query, false, Model.RopeLayout.Interleaved), (spec.OutputGate, spec.AttentionSinks, spec.Rope.Layout));
        Assert.Equal("[5120, 384]", Assert.Single(ProjectionSpec.Of(spec), static projection => projection.Tensor == "q_b_proj").Shape);
    }

    [Fact]
    public void Hy4_has_a_gate_of_a_name_of_its_own_and_sinks()
    {
        MlaSpec spec = ConfigRun.Spec(Hy4, new MlaSettings { AllowDense = true });

        Assert.Equal((Model.OutputGate.ElementWise, "linear_gate", true, Model.RopeLayout.HalfSplit), (spec.OutputGate, spec.OutputGateName, spec.AttentionSinks, spec.Rope.Layout));
        Assert.Equal("[8192, 2816]", Assert.Single(ProjectionSpec.Of(spec), static projection => projection.Tensor == "linear_gate").Shape);
        Assert.Equal("[32]", Assert.Single(ProjectionSpec.Of(spec), static projection => projection.IsSinks).Shape);
    }

    [Theory]
    [InlineData(Axk2)]
    [InlineData(Hy4)]
    public void Only_the_indexer_is_missing_of_a_sparse_model(string json)
    {
        ParsedConfig config = ConfigRun.Parse(json);

        Assert.True(config.Model.IsValid);
        Assert.Null(ConfigRun.Resolve(config));
    }

    [Theory]
    [InlineData("\"element_wise\"", "ElementWise")]
    [InlineData("\"head_wise\"", "HeadWise")]
    [InlineData("\"none\"", "None")]
    [InlineData("null", "None")]
    [InlineData("false", "None")]
    public void Lings_key_says_which_gate(string value, string gate)
        => Assert.Equal(Enum.Parse<Model.OutputGate>(gate), ConfigRun.Spec(ConfigRun.With(Ling3, (GateMapper.Granularity, value))).OutputGate);

    [Theory]
    [InlineData("\"channel_wise\"")]
    [InlineData("\"HEAD_WISE\"")]
    [InlineData("true")]
    [InlineData("2")]
    [InlineData("[\"head_wise\"]")]
    public void Another_granularity_is_refused(string value)
    {
        string problem = Assert.Single(ConfigRun.Problems(ConfigRun.With(Ling3, (GateMapper.Granularity, value), ("head_dim", null))));

        Assert.StartsWith($"MLA0108 \"{GateMapper.Granularity}\":{value} | '{GateMapper.Granularity}' is ", problem, StringComparison.Ordinal);
        Assert.EndsWith(": the output gates that are generated are 'head_wise' and 'element_wise'", problem, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("false")]
    [InlineData("null")]
    public void Kimis_key_switches_the_gate_off(string value)
        => Assert.Equal(Model.OutputGate.None, ConfigRun.Spec(ConfigRun.With(ConfigRun.DeepSeekV3, ("model_type", "\"kimi_linear\""), ("rope_scaling", null), (GateMapper.Switch, value))).OutputGate);

    [Fact]
    public void Kimis_key_is_no_text()
        => Assert.StartsWith(
            "MLA0109 ",
            Assert.Single(ConfigRun.Problems(ConfigRun.With(ConfigRun.DeepSeekV3, ("model_type", "\"kimi_linear\""), ("rope_scaling", null), (GateMapper.Switch, "\"head_wise\"")))),
            StringComparison.Ordinal);

    /// <summary>Whoever has a checkpoint with other names says so at the class, and whoever knows better overrides the file.</summary>
    [Fact]
    public void The_attribute_overrides_the_file()
    {
        Assert.Equal("gate", ConfigRun.Spec(KimiK3, new MlaSettings { OutputGateName = "gate" }).OutputGateName);
        Assert.Equal(Model.OutputGate.None, ConfigRun.Spec(KimiK3, new MlaSettings { OutputGate = Model.OutputGate.None }).OutputGate);
        Assert.False(ConfigRun.Spec(Hy4, new MlaSettings { AllowDense = true, AttentionSinks = false }).AttentionSinks);
    }

    [Fact]
    public void A_gate_that_is_quantized_in_a_way_that_is_not_read_is_refused()
    {
        string json = KimiK3.Replace("re:.*self_attn.*", "re:.*(q|kv|o)_(a_|b_)?(proj|proj_with_mqa)$", StringComparison.Ordinal);

        ParsedConfig config = ConfigRun.Parse(json);

        Assert.Contains("g_proj", config.Model.Quantization, StringComparison.Ordinal);
        Assert.Null(ConfigRun.Resolve(config));
    }
}
