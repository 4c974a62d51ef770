using MlaGen.Generator.Configs;
using MlaGen.Generator.Model;
using MlaGen.Generator.Planning;
using MlaGen.Generator.Tests.Infrastructure;

namespace MlaGen.Generator.Tests.Configs;

/// <summary>A family is chosen by <c>model_type</c>, then by <c>architectures</c>, and never by names of dimensions.</summary>
public class FamilyTests
{
    private const string DeepSeekOwn =
        """
        {"vocab_size": 512, "dim": 7168, "inter_dim": 18432, "moe_inter_dim": 2048, "n_layers": 4, "n_dense_layers": 3, "n_heads": 128, "n_routed_experts": 8,
         "n_activated_experts": 2, "score_func": "sigmoid", "q_lora_rank": 1536, "kv_lora_rank": 512, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 128}
        """;

    private static readonly string _untyped = ConfigRun.With(ConfigRun.DeepSeekV3, ("model_type", null), ("rope_scaling", null));

    public static TheoryData<string> DeepSeekKeys => [.. FamilyFinder.DeepSeekKeys];

    [Theory]
    [InlineData("mscale", "0.707")]
    [InlineData("scale_fmt", "\"ue8m0\"")]
    [InlineData("index_topk", "2048")]
    // What a reader would add who follows what other diagnostics ask for.
    [InlineData("max_position_embeddings", "163840")]
    [InlineData("rope_theta", "10000")]
    [InlineData("model_type", "\"deepseek_v3\"")]
    [InlineData("model_type", "\"mistral4\"")]
    [InlineData("architectures", "[\"DeepseekV3ForCausalLM\"]")]
    [InlineData("rope_interleave", "true")]
    public void DeepSeeks_own_configuration_is_refused_by_name_whatever_is_added(string key, string value)
    {
        string problem = Assert.Single(ConfigRun.Problems(ConfigRun.With(DeepSeekOwn, (key, value))));

        Assert.Equal("MLA0116 \"inter_dim\":18432 | The key 'inter_dim' belongs to DeepSeek's own inference code, which keeps the rest of the model in its source; expected the config.json that stands beside the weights", problem);
    }

    [Theory]
    [MemberData(nameof(DeepSeekKeys))]
    public void One_key_of_DeepSeeks_own_is_enough(string key)
    {
        string json = ConfigRun.With(DeepSeekOwn, [.. FamilyFinder.DeepSeekKeys.Select(static other => (other, (string?)null))]);

        Assert.DoesNotContain(ConfigRun.Problems(json), static problem => problem.StartsWith("MLA0116 ", StringComparison.Ordinal));
        Assert.StartsWith($"MLA0116 \"{key}\":", Assert.Single(ConfigRun.Problems(ConfigRun.With(json, (key, key == "score_func" ? "\"sigmoid\"" : "2")))), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("n_kv_heads")]
    [InlineData("norm_eps")]
    [InlineData("rope_interleave")]
    public void Names_of_dimensions_make_no_family(string? key)
    {
        // Short names, and nothing that is Mistral's alone: anybody's file.
        string json = """{"dim": 256, "n_heads": 8, "kv_lora_rank": 64, "qk_nope_head_dim": 32, "qk_rope_head_dim": 16, "v_head_dim": 32, "max_position_embeddings": 1024, "rope_theta": 10000}""";

        AssertAsksForType(key is null ? json : ConfigRun.With(json, (key, key == "rope_interleave" ? "true" : "8")));
    }

    [Theory]
    [InlineData("deepseek_v3")]
    [InlineData("glm4_moe_lite")]
    public void Short_names_are_nobodys_but_Mistrals(string type)
    {
        string json = ConfigRun.With(ConfigRun.DeepSeekV3, ("model_type", $"\"{type}\""), ("hidden_size", null), ("dim", "7168"));

        Assert.Null(ConfigRun.Resolve(ConfigRun.Parse(json)));
    }

    [Theory]
    [InlineData("rope_interleave", "true")]
    [InlineData("rope_interleave", "false")]
    [InlineData("rope_interleaved", "true")]
    [InlineData("architectures", "[\"SomethingElseForCausalLM\"]")]
    [InlineData("architectures", "[]")]
    [InlineData("architectures", "\"DeepseekV3ForCausalLM\"")]
    [InlineData("mla_scale_q_lora", "true")]
    [InlineData("first_k_dense_replace", "1")]
    [InlineData("model_type", "null")]
    [InlineData("model_type", "\"\"")]
    public void A_file_without_type_and_known_class_is_refused_and_asked_for_its_type(string key, string value)
        => AssertAsksForType(ConfigRun.With(_untyped, (key, value)));

    // openPangu's names of dimensions are nobody's either: every way to state them that is read under a type.
    [Fact]
    public void A_file_without_type_is_asked_for_it_whatever_its_dimensions_are_called()
    {
        for (int mask = 0; mask < 1 << DimensionKeys.All.Length; mask++)
        {
            string json = _untyped;
            for (int i = 0; i < DimensionKeys.All.Length; i++)
            {
                string[] names = DimensionKeys.All[i];
                string value = System.Text.Json.Nodes.JsonNode.Parse(_untyped)![names[0]]!.ToJsonString();
                json = ConfigRun.With(json, (names[0], null), (names[(mask >> i) & 1], value));
            }

            AssertAsksForType(json);
            AssertAsksForType(ConfigRun.With(json, ("rope_interleave", "true")));
            Assert.Equal(ConfigRun.Spec(ConfigRun.With(_untyped, ("model_type", "\"deepseek_v3\""))).Dimensions, ConfigRun.Spec(ConfigRun.With(json, ("model_type", "\"deepseek_v3\""))).Dimensions);
        }

        Assert.All(DimensionKeys.All, static names => Assert.Equal(2, names.Length));
    }

    [Theory]
    [InlineData("DeepseekV3ForCausalLM", "deepseek_v3")]
    [InlineData("DeepseekV2ForCausalLM", "deepseek_v2")]
    [InlineData("DeepseekV2Model", "deepseek_v2")]
    [InlineData("MiniCPM3ForCausalLM", "minicpm3")]
    [InlineData("LongcatFlashForCausalLM", "longcat_flash")]
    [InlineData("KimiLinearForCausalLM", "kimi_linear")]
    [InlineData("Glm4MoeLiteForCausalLM", "glm4_moe_lite")]
    [InlineData("GlmMoeDsaForSequenceClassification", "glm_moe_dsa")]
    [InlineData("YoutuForCausalLM", "youtu")]
    [InlineData("PLMForCausalLM", "plm")]
    [InlineData("AXK1ForCausalLM", "axk1")]
    [InlineData("SarvamMLAForCausalLM", "sarvam_mla")]
    [InlineData("PanguUltraMoEForCausalLM", "pangu_ultra_moe")]
    [InlineData("BailingMoeV2_5ForCausalLM", "bailing_hybrid")]
    [InlineData("KimiK25ForConditionalGeneration", "deepseek_v3")]
    [InlineData("HYV4ForCausalLM", "hy_v4")]
    [InlineData("AXK2ForCausalLM", "axk2")]
    public void A_file_without_type_is_read_by_its_architectures(string name, string type)
    {
        string json = ConfigRun.With(_untyped, ("architectures", $"[\"{name}\"]"));

        Assert.Empty(ConfigRun.Problems(json));
        Assert.Equal(ConfigRun.Spec(ConfigRun.With(_untyped, ("model_type", $"\"{type}\""))), ConfigRun.Spec(json));
    }

    [Theory]
    [InlineData("DeepseekV4ForCausalLM", "MLA0105")]
    [InlineData("Glm5NextForConditionalGeneration", "MLA0108")]
    public void A_family_that_is_refused_is_refused_by_its_architectures_too(string name, string id)
        => Assert.StartsWith($"{id} \"architectures\":[\"{name}\"] | ", Assert.Single(ConfigRun.Problems(ConfigRun.With(_untyped, ("architectures", $"[\"{name}\"]")))), StringComparison.Ordinal);

    [Fact]
    public void The_type_wins_over_the_architectures()
    {
        string json = ConfigRun.With(_untyped, ("model_type", "\"deepseek_v2\""), ("architectures", "[\"MiniCPM3ForCausalLM\"]"));

        Assert.Equal(ConfigRun.Spec(ConfigRun.With(_untyped, ("model_type", "\"deepseek_v2\""))), ConfigRun.Spec(json));
    }

    [Fact]
    public void A_new_type_is_read_by_its_architectures_with_a_remark()
    {
        string json = ConfigRun.With(_untyped, ("model_type", "\"my_minicpm\""), ("architectures", "[\"MiniCPM3ForCausalLM\"]"), ("rope_interleave", "false"));

        Assert.Equal(["MLA0127 \"model_type\":\"my_minicpm\" | The model type 'my_minicpm' is not known; its attention is taken to be that of minicpm3"], ConfigRun.Problems(json));
        Assert.Equal(Model.RopeLayout.HalfSplit, ConfigRun.Spec(json).Rope.Layout);
    }

    [Fact]
    public void A_nested_model_without_type_is_read_by_its_own_architectures_before_those_around_it()
    {
        string tower = ConfigRun.With(_untyped, ("architectures", "[\"MiniCPM3ForCausalLM\"]"));

        Assert.Equal(Model.RopeLayout.HalfSplit, ConfigRun.Spec($$"""{"architectures": ["KimiK25ForConditionalGeneration"], "text_config": {{tower}}}""").Rope.Layout);
        Assert.Equal(Model.RopeLayout.Interleaved, ConfigRun.Spec($$"""{"architectures": ["KimiK25ForConditionalGeneration"], "text_config": {{_untyped}}}""").Rope.Layout);
    }

    [Theory]
    [InlineData("architectures", "[\"Eagle3DeepseekV2ForCausalLM\"]")]
    [InlineData("architectures", "[\"EagleDeepSeekMTPModel\"]")]
    [InlineData("architectures", "[\"EagleDeepseekV3ForCausalLM\"]")]
    [InlineData("architectures", "[\"DeepseekV3ForCausalLMNextN\"]")]
    [InlineData("architectures", "[\"DeepSeekMTPModel\"]")]
    [InlineData("architectures", "[\"LongCatFlashMTPModel\"]")]
    [InlineData("architectures", "[\"LlamaForCausalLMEagle3\"]")]
    [InlineData("architectures", "[\"MedusaModel\"]")]
    [InlineData("architectures", "[\"K3DSparkModel\"]")]
    [InlineData("architectures", "[\"DFlashDraftModel\"]")]
    [InlineData("architectures", "[\"DeepseekV3ForCausalLM\",\"DeepseekV3ForCausalLMNextN\"]")]
    [InlineData("model_type", "\"deepseek_mtp\"")]
    [InlineData("model_type", "\"eagle3\"")]
    [InlineData("model_type", "\"k3_dspark\"")]
    [InlineData("draft_vocab_size", "32000")]
    [InlineData("eagle_config", "{\"use_aux_hidden_state\":true}")]
    [InlineData("speculators_model_type", "\"eagle3\"")]
    public void A_draft_head_is_refused_by_name_under_any_type(string key, string value)
    {
        foreach (string type in new[] { "deepseek_v3", "kimi_k2", "deepseek_v2", "unheard_of" })
        {
            string json = ConfigRun.With(ConfigRun.DeepSeekV3, ("model_type", $"\"{type}\""), (key, value));
            foreach (string file in new[] { json, $$"""{"model_type": "kimi_k25", "text_config": {{json}}}""", ConfigRun.With($$"""{"text_config": {{ConfigRun.DeepSeekV3}}}""", (key, value)) })
            {
                string problem = Assert.Single(ConfigRun.Problems(file));
                Assert.StartsWith($"MLA0108 \"{key}\":", problem, StringComparison.Ordinal);
                Assert.Contains("this is a draft head for speculative decoding", problem, StringComparison.Ordinal);
            }
        }
    }

    [Theory]
    [InlineData("num_nextn_predict_layers", "1")]
    [InlineData("mtp_loss_scaling_factor", "0.1")]
    [InlineData("eagle_config", "null")]
    [InlineData("draft_vocab_size", "0")]
    [InlineData("architectures", "[\"DeepseekV3ForCausalLM\"]")]
    public void A_model_that_has_a_draft_head_beside_it_is_none(string key, string value)
        => Assert.Equal(ConfigRun.Spec(ConfigRun.DeepSeekV3), ConfigRun.Spec(ConfigRun.With(ConfigRun.DeepSeekV3, (key, value))));

    [Theory]
    [InlineData("bailing2_5_moe")]
    [InlineData("bailing_moe_linear")]
    [InlineData("bailing_moe_v2_5")]
    [InlineData("bailing_hybrid")]
    public void Ling_has_one_arithmetic_under_all_its_types(string type)
    {
        string json = Ling(("model_type", $"\"{type}\""));
        MlaSpec spec = ConfigRun.Spec(json);

        Assert.Empty(ConfigRun.Problems(json));
        Assert.Equal(Model.RopeLayout.Interleaved, spec.Rope.Layout);
        Assert.Equal(Math.Pow(192, -0.5), RopeConstants.For(spec).SoftmaxScale, 1e-15);
        Assert.Equal(Model.RopeLayout.HalfSplit, ConfigRun.Spec(ConfigRun.With(json, ("rope_interleave", "false"))).Rope.Layout);
        Assert.Equal(spec, ConfigRun.Spec(Ling(("architectures", "[\"BailingMoeV2_5ForCausalLM\"]"))));
    }

    [Theory]
    [InlineData("pangu_v2_moe")]
    [InlineData("openpangu_v2")]
    public void OpenPangu_2_is_refused_for_what_it_adds_and_read_without_it(string type)
    {
        string json = ConfigRun.With(
            ConfigRun.DeepSeekV3,
            ("model_type", $"\"{type}\""),
            ("rope_scaling", null),
            ("rope_interleave", "false"),
            ("param_sink_number", "0"),
            ("swa_layers", "[]"),
            ("use_mhc", "false"),
            ("router_sliding_window", "0"),
            ("block_post_layernorm_idx", "[1]"),
            ("sandwich_norm", "true"));

        Assert.Empty(ConfigRun.Problems(json));
        Assert.Equal(Model.RopeLayout.HalfSplit, ConfigRun.Spec(json).Rope.Layout);
        foreach ((string key, string value) in new[] { ("param_sink_number", "128"), ("swa_layers", "[0]"), ("use_mhc", "true"), ("router_sliding_window", "4"), ("param_sink_number", "null"), ("use_mhc", "null") })
        {
            string problem = Assert.Single(ConfigRun.Problems(ConfigRun.With(json, (key, value))));
            Assert.StartsWith("MLA0108 ", problem, StringComparison.Ordinal);
            Assert.Contains($"'{key}' is ", problem, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void The_page_lists_every_type_that_is_known()
    {
        string page = File.ReadAllText(Path.Combine(TestProject.Repository, "docs", "diagnostics", "MLA0106.md"));

        Assert.All(ModelProfile.Types, type => Assert.Contains($"`{type}`", page, StringComparison.Ordinal));
    }

    private static string Ling(params (string Key, string? Value)[] members) => ConfigRun.With(
        _untyped,
        [("partial_rotary_factor", "0.5"), ("layer_group_size", "8"), ("group_norm_size", "4"), ("num_kv_heads_for_linear_attn", "32"), ("use_qk_norm", "true"), ("use_rmsnorm", "true"), ("rope_interleave", "true"), .. members]);

    private static void AssertAsksForType(string json)
    {
        string problem = Assert.Single(ConfigRun.Problems(json));

        Assert.StartsWith("MLA0106 ", problem, StringComparison.Ordinal);
        Assert.Contains("The model type (none) is not known", problem, StringComparison.Ordinal);
        Assert.Contains("expected the model_type of the model's own config.json", problem, StringComparison.Ordinal);
        Assert.DoesNotContain("rope_interleave", problem.Split(" | ")[1], StringComparison.Ordinal);
    }
}
