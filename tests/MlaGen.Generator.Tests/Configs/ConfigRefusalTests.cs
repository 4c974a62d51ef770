using System.Globalization;
using MlaGen.Generator.Configs;
using MlaGen.Generator.Model;

namespace MlaGen.Generator.Tests.Configs;

/// <summary>Every reason for which a configuration is refused: rule, place in the file, and words.</summary>
public class ConfigRefusalTests
{
    [Fact]
    public void The_base_of_these_tests_is_accepted_without_a_word()
        => Assert.Empty(ConfigRun.Problems(ConfigRun.DeepSeekV3));

    [Theory]
    [InlineData("{\"a\": 1,}", "MLA0102 } | Not valid JSON: found '}'; expected a property name in double quotes")]
    [InlineData("[1]", "MLA0109 [1] | 'model/config.json' is [1]; expected an object")]
    [InlineData("{\"a\": 1, \"a\": 2}", "MLA0104 \"a\" | The key 'a' is repeated in this object; readers disagree about which one counts")]
    [InlineData("{\"x\": {\"a\": 1, \"a\": 1}}", "MLA0104 \"a\" | The key 'a' is repeated in this object; readers disagree about which one counts")]
    public void A_file_that_is_no_configuration_is_refused(string json, string problem)
        => Assert.Equal([problem], ConfigRun.Problems(json));

    [Theory]
    [InlineData("kv_lora_rank", "null", "there is no kv_lora_rank, the width of the latent")]
    [InlineData("kv_lora_rank", null, "there is no kv_lora_rank, the width of the latent")]
    [InlineData("use_mla", "false", "use_mla is false")]
    [InlineData("o_lora_rank", "1024", "o_lora_rank is a low-rank output projection, as in DeepSeek-V4")]
    [InlineData("model_type", "\"deepseek_v4\"", "DeepSeek-V4 keeps compressed keys and values shared by all heads (compress_ratios, o_lora_rank), and no latent")]
    public void A_model_of_another_attention_is_refused(string key, string? value, string reason)
    {
        string problem = Assert.Single(ConfigRun.Problems(Changed((key, value))));

        Assert.StartsWith("MLA0105 \"", problem, StringComparison.Ordinal);
        Assert.EndsWith("This model does not use Multi-head Latent Attention: " + reason, problem, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("DeepSeek-VL2-tiny (language tower)", "MLA0105")]
    [InlineData("DeepSeek-OCR / OCR-2 (language tower)", "MLA0105")]
    [InlineData("DeepSeek-V4-Flash", "MLA0105")]
    [InlineData("DeepSeek-V4-Pro", "MLA0105")]
    [InlineData("GLM-5.3-Flash (hybrid KDA + NoPE-DSA-MLA)", "MLA0108")]
    [InlineData("openPangu 2.0 / Pangu V2 MoE", "MLA0108")]
    public void A_published_model_that_cannot_be_generated_is_refused(string name, string id)
    {
        PublishedModel model = PublishedModel.All.Single(candidate => candidate.Name == name);

        foreach (bool hasRopeParameters in new[] { false, true })
        {
            string[] problems = ConfigRun.Problems(model.Config(model.Types[0], hasRopeParameters));
            Assert.Contains(problems, problem => problem.StartsWith(id + " ", StringComparison.Ordinal));
        }
    }

    [Theory]
    [InlineData("deepseek_v3", "mla_use_output_gate", "true")]
    [InlineData("deepseek_v3", "gated_attention_proj_granularity_type", "\"head_wise\"")]
    [InlineData("deepseek_v3", "attn_output_gate", "true")]
    public void An_output_gate_of_a_type_that_is_not_known_to_have_one_is_refused(string type, string key, string value)
        => AssertRefused(
            ConfigRun.With(Changed((key, value)), ("model_type", $"\"{type}\""), ("rope_scaling", null)),
            $"MLA0108 \"{key}\":{value} | '{key}' is {value}: an output gate multiplies what attention returns, and how this model type makes it is not known");

    [Theory]
    [InlineData("param_sink_number", "4", "attention sinks add to every row's softmax, and how this model type makes them is not known")]
    [InlineData("use_attention_sinks", "true", "attention sinks add to every row's softmax, and how this model type makes them is not known")]
    [InlineData("swa_layers", "[1,2]", "every query sees all earlier keys; a sliding window is not generated")]
    [InlineData("sliding_window", "128", "every query sees all earlier keys; a sliding window is not generated")]
    [InlineData("compress_ratios", "[0,4]", "keys and values are not compressed along the sequence")]
    [InlineData("index_kpool", "4", "the indexer pools its keys, so dense attention differs at any length")]
    [InlineData("use_mhc", "true", "a widened residual stream (hyper-connections) changes what the layer is given")]
    [InlineData("use_qkv_bias", "true", "only attention_bias is generated, on q_a_proj, kv_a_proj_with_mqa and o_proj")]
    [InlineData("use_qk_norm", "true", "queries and keys are not normalised per head")]
    [InlineData("attn_logit_softcapping", "50.0", "scores and projections are not clipped")]
    [InlineData("mla_use_nope", "true", "model type 'deepseek_v3' is not known to leave rotation out")]
    [InlineData("attention_method", "\"MHA\"", "expected MLA")]
    [InlineData("layer_types", "[\"full_attention\",\"sliding_attention\"]", "a layer of kind \"sliding_attention\" is not latent attention")]
    public void A_feature_that_is_not_generated_is_refused(string key, string value, string reason)
    {
        string problem = Assert.Single(ConfigRun.Problems(Changed((key, value))));

        Assert.StartsWith($"MLA0108 \"{key}\":{value} | '{key}' is ", problem, StringComparison.Ordinal);
        Assert.EndsWith(": " + reason, problem, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("use_sliding_window", "false")]
    [InlineData("param_sink_number", "0")]
    [InlineData("swa_layers", "[]")]
    [InlineData("sliding_window", "null")]
    [InlineData("compress_ratios", "[]")]
    [InlineData("use_qk_norm", "false")]
    [InlineData("mla_use_nope", "false")]
    [InlineData("attention_method", "\"MLA\"")]
    [InlineData("layer_types", "[\"full_attention\"]")]
    [InlineData("attn_something_new", "null")]
    public void A_feature_that_is_switched_off_is_accepted(string key, string value)
        => Assert.Empty(ConfigRun.Problems(Changed((key, value))));

    [Fact]
    public void A_window_that_another_key_switches_off_is_accepted()
        => Assert.Empty(ConfigRun.Problems(Changed(("sliding_window", "4096"), ("use_sliding_window", "false"), ("max_window_layers", "28"))));

    [Fact]
    public void A_sparse_indexer_without_a_query_latent_is_refused()
        => AssertRefused(
            Changed(("index_topk", "2048"), ("q_lora_rank", "null")),
            "MLA0108 \"index_topk\":2048 | 'index_topk' is 2048: the indexer reads the query latent, and there is no q_lora_rank");

    [Fact]
    public void A_sparse_indexer_without_its_number_of_keys_is_refused()
        => AssertRefused(
            Changed(("index_n_heads", "64")),
            "MLA0109 \"index_n_heads\":64 | 'index_topk' is missing; expected a whole number beside the other keys of the indexer");

    [Fact]
    public void LongCat_needs_a_query_latent_to_scale()
    {
        string json = Changed(("model_type", "\"longcat_flash\""), ("q_lora_rank", "null"));

        Assert.Null(ConfigRun.Resolve(ConfigRun.Parse(json)));
    }

    [Theory]
    [InlineData("attn_scale_new", "2.0")]
    [InlineData("rope_ratio", "4")]
    [InlineData("rotary_dim", "32")]
    [InlineData("qk_temperature", "1.5")]
    [InlineData("num_query_groups", "8")]
    [InlineData("softmax_dtype_scale", "1")]
    [InlineData("head_scale", "[1,2]")]
    [InlineData("use_gate", "true")]
    [InlineData("index_something", "3")]
    [InlineData("kv_cache_window", "3")]
    [InlineData("attnLogitCap", "3")]
    [InlineData("mscale", "1.5")]
    [InlineData("sink_tokens", "4")]
    [InlineData("layernorm_kind", "\"l2\"")]
    public void An_attention_key_that_is_not_understood_is_refused(string key, string value)
        => AssertRefused(
            Changed((key, value)),
            $"MLA0107 \"{key}\":{value} | The key '{key}' is not understood for model type 'deepseek_v3' and could change the arithmetic of attention");

    [Fact]
    public void An_attention_key_in_a_nested_object_is_refused()
        => AssertRefused(
            Changed(("extra", "{\"inner\":{\"attn_cap\":3}}")),
            "MLA0107 \"attn_cap\":3 | The key 'attn_cap' is not understood for model type 'deepseek_v3' and could change the arithmetic of attention");

    [Theory]
    [InlineData("vocab_size", "129280")]
    [InlineData("moe_router_scaling", "2.5")]
    [InlineData("norm_topk_prob", "true")]
    [InlineData("routed_scaling_factor", "2.5")]
    [InlineData("first_k_dense_replace", "3")]
    [InlineData("image_token_index", "5")]
    [InlineData("vision_config", "{\"attn_scale\":2,\"num_heads\":16}")]
    [InlineData("auto_map", "{\"AutoConfig\":\"a.B\"}")]
    [InlineData("attention_dropout", "0.0")]
    [InlineData("num_key_value_heads", "128")]
    [InlineData("final_logit_softness", "3")]
    [InlineData("something_else_entirely", "3")]
    public void A_key_that_is_no_concern_of_attention_is_accepted(string key, string value)
        => Assert.Empty(ConfigRun.Problems(Changed((key, value))));

    [Theory]
    [InlineData("hidden_size", "\"7168\"", "a whole number, 1 or more")]
    [InlineData("hidden_size", "7168.5", "a whole number, 1 or more")]
    [InlineData("hidden_size", "1e300", "a whole number, 1 or more")]
    [InlineData("num_attention_heads", "0", "a whole number, 1 or more")]
    [InlineData("q_lora_rank", "-1", "a whole number, 0 or more")]
    [InlineData("max_position_embeddings", "true", "a whole number, 1 or more")]
    [InlineData("attention_bias", "1", "true or false")]
    [InlineData("rope_theta", "-10000", "a positive number")]
    [InlineData("rope_theta", "1e999", "a positive number")]
    [InlineData("rope_interleave", "\"yes\"", "true or false")]
    [InlineData("rope_scaling", "\"yarn\"", "an object")]
    [InlineData("partial_rotary_factor", "0.25", "1, or the share of qk_rope_head_dim in a head")]
    [InlineData("model_type", "3", "a string")]
    [InlineData("rms_norm_eps", "\"tiny\"", "a number")]
    public void A_value_of_the_wrong_kind_is_refused_where_it_stands(string key, string value, string expected)
        => Assert.Contains($"MLA0109 {value} | '{key}' is {value}; expected {expected}", ConfigRun.Problems(Changed((key, value))).Select(problem => problem.Replace($"\"{key}\":", string.Empty, StringComparison.Ordinal)));

    [Theory]
    [InlineData("num_attention_heads", "128.0")]
    [InlineData("rope_theta", "10000.0")]
    [InlineData("q_lora_rank", "1.536e3")]
    public void A_whole_number_may_be_written_as_a_float(string key, string value)
        => Assert.Equal(ConfigRun.Spec(ConfigRun.DeepSeekV3), ConfigRun.Spec(Changed((key, value))));

    [Theory]
    [InlineData("null")]
    [InlineData("0")]
    [InlineData(null)]
    public void No_query_latent_may_be_written_in_three_ways(string? value)
        => Assert.Equal(0, ConfigRun.Spec(Changed(("q_lora_rank", value))).Dimensions.QLoraRank);

    [Theory]
    [InlineData("dynamic")]
    [InlineData("linear")]
    [InlineData("llama3")]
    [InlineData("deepseek_yarn")]
    [InlineData("su")]
    public void A_rotary_scaling_that_is_not_generated_is_refused(string type)
        => AssertRefused(
            Changed(("rope_scaling.type", $"\"{type}\"")),
            $"MLA0112 \"type\":\"{type}\" | The rotary scaling '{type}' is not supported: expected one of default, yarn, longrope for model type 'deepseek_v3'");

    [Theory]
    [InlineData("bailing_hybrid", "default")]
    [InlineData("minicpm3", "default, longrope")]
    public void Yarn_is_refused_where_the_models_class_scales_otherwise(string type, string expected)
        => AssertRefused(
            Changed(("model_type", $"\"{type}\"")),
            $"MLA0112 \"type\":\"yarn\" | The rotary scaling 'yarn' is not supported: expected one of {expected} for model type '{type}'");

    [Fact]
    public void Rotary_parameters_per_kind_of_layer_are_refused()
        => AssertRefused(
            Changed(("rope_scaling", null), ("rope_parameters", "{\"full_attention\":{\"rope_type\":\"default\"},\"sliding_attention\":{\"rope_type\":\"default\"}}")),
            "MLA0112 \"full_attention\":{\"rope_type\":\"default\"} | The rotary scaling of 'full_attention' is not supported: each kind of layer has its own, and a class is one kind of layer");

    [Fact]
    public void Rotary_parameters_without_a_type_are_refused()
        => AssertRefused(
            Changed(("rope_scaling", "{\"factor\":40}")),
            "MLA0112 \"factor\":40 | The rotary scaling of 'factor' is not supported: there is neither a rope_type nor a type beside it");

    [Fact]
    public void An_unknown_rotary_parameter_is_refused()
        => AssertRefused(
            Changed(("rope_scaling.ntk", "2")),
            "MLA0107 \"ntk\":2 | The key 'ntk' is not understood for model type 'deepseek_v3' and could change the arithmetic of attention");

    [Fact]
    public void Mistrals_rotary_parameters_are_unknown_to_other_models()
        => AssertRefused(
            Changed(("rope_scaling.llama_4_scaling_beta", "0.1")),
            "MLA0107 \"llama_4_scaling_beta\":0.1 | The key 'llama_4_scaling_beta' is not understood for model type 'deepseek_v3' and could change the arithmetic of attention");

    [Theory]
    [InlineData("rope_scaling.rope_type", "\"default\"", "'type' is \"yarn\", and 'rope_type' is \"default\"; expected the same")]
    [InlineData("attention_kv_lora_dim", "256", "'attention_kv_lora_dim' is 256, and 'kv_lora_rank' is 512; expected the same")]
    [InlineData("model_max_length", "4096", "'model_max_length' is 4096, and 'max_position_embeddings' is 163840; expected the same")]
    [InlineData("rope_parameters", "{\"rope_theta\":50000,\"rope_type\":\"yarn\",\"factor\":40,\"original_max_position_embeddings\":4096,\"beta_fast\":32,\"beta_slow\":1,\"mscale\":1.0,\"mscale_all_dim\":1.0}", "'rope_theta' is 50000, and 'rope_theta' is 10000; expected the same")]
    [InlineData("rope_parameters", "{\"rope_type\":\"yarn\",\"factor\":32,\"original_max_position_embeddings\":4096,\"beta_fast\":32,\"beta_slow\":1,\"mscale\":1.0,\"mscale_all_dim\":1.0}", "'factor' is 32, and 'factor' is 40; expected the same")]
    [InlineData("original_max_position_embeddings", "8192", "'original_max_position_embeddings' is 8192, and 'original_max_position_embeddings' is 4096; expected the same")]
    public void Keys_that_contradict_each_other_are_refused(string key, string value, string message)
    {
        string problem = Assert.Single(ConfigRun.Problems(Changed((key, value))));

        Assert.StartsWith("MLA0111 ", problem, StringComparison.Ordinal);
        Assert.EndsWith(" | " + message, problem, StringComparison.Ordinal);
    }

    [Fact]
    public void A_rotary_parameter_in_one_of_two_sections_is_a_contradiction()
    {
        string[] problems = ConfigRun.Problems(Changed(("rope_parameters", "{\"rope_type\":\"yarn\",\"factor\":40,\"original_max_position_embeddings\":4096,\"beta_fast\":32,\"beta_slow\":1,\"mscale\":1.0}")));

        Assert.Equal("MLA0111 \"mscale_all_dim\":1.0 | 'mscale_all_dim' is 1.0, and 'mscale_all_dim' is absent from the other of rope_scaling and rope_parameters; expected the same", Assert.Single(problems));
    }

    [Fact]
    public void Both_rotary_sections_may_say_the_same()
    {
        string json = Changed(
            ("rope_scaling.rope_type", "\"yarn\""),
            ("rope_parameters", "{\"rope_theta\":10000.0,\"type\":\"yarn\",\"factor\":40.0,\"original_max_position_embeddings\":4096,\"beta_fast\":32.0,\"beta_slow\":1.0,\"mscale\":1,\"mscale_all_dim\":1}"));

        Assert.Equal(ConfigRun.Spec(ConfigRun.DeepSeekV3), ConfigRun.Spec(json));
    }

    [Fact]
    public void A_setting_around_a_nested_model_must_agree_with_it()
        => AssertRefused(
            $"{{\"model_type\":\"kimi_k25\",\"kv_lora_rank\":256,\"text_config\":{ConfigRun.DeepSeekV3}}}",
            "MLA0111 \"kv_lora_rank\":256 | 'kv_lora_rank' is 256, and 'kv_lora_rank' is 512; expected the same");

    [Fact]
    public void Two_nested_models_must_agree()
        => Assert.Contains(
            ConfigRun.Problems($"{{\"text_config\":{ConfigRun.DeepSeekV3},\"language_config\":{Changed(("hidden_size", "64"))}}}"),
            static problem => problem.StartsWith("MLA0111 \"language_config\"", StringComparison.Ordinal));

    [Fact]
    public void An_unknown_model_type_without_a_rotary_layout_is_refused()
        => AssertRefused(
            Changed(("model_type", "\"new_model\"")),
            "MLA0106 \"model_type\":\"new_model\" | The model type 'new_model' is not known, and no class among the architectures is; expected the model_type of the model's own config.json, which says whose arithmetic it is");

    [Fact]
    public void OpenPangu_2_without_a_rotary_layout_is_refused()
        => Assert.Contains(
            ConfigRun.Problems(Changed(("model_type", "\"pangu_v2_moe\""), ("param_sink_number", "0"), ("swa_layers", "[]"), ("use_mhc", "false"))),
            static problem => problem == "MLA0109 \"model_type\":\"pangu_v2_moe\" | 'rope_interleave' is missing; expected true or false, since model type 'pangu_v2_moe' is published with either");

    [Fact]
    public void LongRope_that_switches_is_refused_and_a_shorter_context_accepts_it()
    {
        string json = Changed(
            ("model_type", "\"minicpm3\""),
            ("qk_rope_head_dim", "4"),
            ("rope_scaling", "{\"type\":\"longrope\",\"short_factor\":[1,1.5],\"long_factor\":[1,2],\"original_max_position_embeddings\":32768}"));

        Assert.Null(ConfigRun.Resolve(ConfigRun.Parse(json)));
        Assert.NotNull(ConfigRun.Resolve(ConfigRun.Parse(json), new MlaSettings { MaxPositionEmbeddings = 32768 }));
    }

    [Theory]
    [InlineData("attn_{0}")]
    [InlineData("other_{0}")]
    [InlineData("attn_same")]
    public void A_file_of_the_greatest_length_is_judged_without_delay(string key)
    {
        // Whatever takes a step for each pair of keys would take hours here.
        string keys = string.Concat(Enumerable.Range(0, 80_000).Select(i => $"\"{string.Format(CultureInfo.InvariantCulture, key, i)}\":1,"));
        string tower = ConfigRun.DeepSeekV3.Insert(1, keys);
        string json = $"{{\"text_config\":{tower},\"language_config\":{tower}}}";

        Assert.InRange(json.Length, JsonReader.MaxLength / 2, JsonReader.MaxLength);
        Assert.InRange(ConfigRun.Problems(json).Length, key == "other_{0}" ? 0 : 1, 100);
    }

    private static string Changed(params (string Key, string? Value)[] members) => ConfigRun.With(ConfigRun.DeepSeekV3, members);

    private static void AssertRefused(string json, string problem)
    {
        Assert.Equal([problem], ConfigRun.Problems(json));
        Assert.Null(ConfigRun.Resolve(ConfigRun.Parse(json)));
    }
}
