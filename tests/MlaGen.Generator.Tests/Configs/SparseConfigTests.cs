using MlaGen.Generator.Model;
using MlaGen.Generator.Parsing;

namespace MlaGen.Generator.Tests.Configs;

/// <summary>Configurations of sparse models become indexers: dimensions, rotary part, and which layers have one.</summary>
public class SparseConfigTests
{
    private const string Indexer = "\"index_topk\": 2048, \"index_n_heads\": 32, \"index_head_dim\": 128";

    public static TheoryData<string, string[], object[]> Models() => new()
    {
        { "deepseek_v32", [], [Model.RopeLayout.HalfSplit, false, 1e-6, 0, ""] },
        { "glm_moe_dsa", ["\"indexer_rope_interleave\": true"], [Model.RopeLayout.Interleaved, false, 1e-6, 0, ""] },
        { "glm_moe_dsa", ["\"index_topk_freq\": 4", "\"index_skip_topk_offset\": 3"], [Model.RopeLayout.Interleaved, false, 1e-6, 0, "FFFSSSFS"] },
        { "glm_moe_dsa", ["\"indexer_types\": [\"full\", \"shared\", \"shared\", \"full\"]", "\"index_topk_freq\": 4"], [Model.RopeLayout.Interleaved, false, 1e-6, 0, "FSSF"] },
        { "glm_moe_dsa", ["\"index_topk_pattern\": \"FFSS\"", "\"index_topk_freq\": 4"], [Model.RopeLayout.Interleaved, false, 1e-6, 0, "FFSS"] },
        { "glm_moe_dsa", ["\"index_topk_pattern\": [\"F\", \"S\"]"], [Model.RopeLayout.Interleaved, false, 1e-6, 0, "FS"] },
        { "axk2", [], [Model.RopeLayout.HalfSplit, false, 1e-6, 0, ""] },
        { "hy_v4", [], [Model.RopeLayout.HalfSplit, true, 1e-5, 0, "FFSSSFSS"] },
        { "glm5_next", ["\"index_kpool\": 4", "\"index_kpool_always_select_tail\": true", "\"mhc\": true", "\"mla_use_nope\": true"], [Model.RopeLayout.HalfSplit, false, 1e-6, 4, ""] },
    };

    [Theory]
    [MemberData(nameof(Models))]
    public void A_sparse_model_becomes_its_indexer(string type, string[] keys, object[] expected)
    {
        MlaSpec spec = ConfigRun.Spec(Config(type, keys));

        Assert.Equal(
            new IndexerSpec(2048, 32, 128, (Model.RopeLayout)expected[0], (bool)expected[1], (double)expected[2], (int)expected[3], (string)expected[4]),
            spec.Indexer);
        Assert.Equal(262144, spec.Dimensions.MaxPositionEmbeddings);
        Assert.Equal(type == "glm5_next" ? 1e-5 : 1e-6, spec.LatentNormEpsilon);
        Assert.False(spec.AllowDense);
    }

    [Fact]
    public void Every_layer_of_GLM_5_2_is_as_published()
    {
        string pattern = ConfigRun.Spec(Config("glm_moe_dsa", ["\"index_topk_freq\": 4", "\"index_skip_topk_offset\": 3"], layers: 78)).Indexer!.Pattern;

        Assert.Equal([0, 1, 2, .. Enumerable.Range(0, 18).Select(static i => 6 + (4 * i))], Enumerable.Range(0, 78).Where(layer => pattern[layer] == 'F'));
    }

    [Theory]
    [InlineData("\"indexer_types\": [\"full\", \"dense\"]", "MLA0109")]
    [InlineData("\"indexer_types\": [\"shared\", \"full\"]", "MLA0109")]
    [InlineData("\"indexer_types\": []", null)]
    [InlineData("\"index_topk_pattern\": 7", "MLA0109")]
    [InlineData("\"index_topk_freq\": 0", "MLA0109")]
    [InlineData("\"index_head_dim\": 0", "MLA0109")]
    public void A_pattern_that_cannot_be_is_refused(string key, string? id)
    {
        string[] problems = ConfigRun.Problems(Config("glm_moe_dsa", [key]));

        Assert.Equal(id is null ? [] : [id], problems.Where(static problem => !problem.StartsWith("MLA012", StringComparison.Ordinal)).Select(static problem => problem[..7]).Distinct());
    }

    [Fact]
    public void A_text_in_place_of_a_pattern_is_refused_where_it_is_used()
    {
        var config = ConfigRun.Parse(Config("glm_moe_dsa", ["\"indexer_types\": \"all full\""]));

        Assert.Null(ConfigRun.Resolve(config));
        Assert.Contains(ConfigUse.ValueProblems(ConfigRun.Attribute(), config.Model), static problem => problem.Property == nameof(MlaSettings.IndexPattern));
        Assert.NotNull(ConfigRun.Resolve(config, new MlaSettings { AllowDense = true }));
    }

    [Fact]
    public void Pools_without_their_tail_are_refused()
        => Assert.Contains(ConfigRun.Problems(Config("glm5_next", ["\"index_kpool\": 4", "\"index_kpool_always_select_tail\": false"])), static problem => problem.StartsWith("MLA0108", StringComparison.Ordinal));

    [Fact]
    public void Dense_attention_may_be_asked_for_nonetheless()
    {
        MlaSpec spec = ConfigRun.Spec(Config("deepseek_v32", []), new MlaSettings { AllowDense = true });

        Assert.Null(spec.Indexer);
        Assert.Equal(2048, spec.Dimensions.MaxPositionEmbeddings);
        Assert.True(spec.AllowDense);
    }

    [Fact]
    public void The_attribute_overrides_the_indexer_and_gives_one_to_a_type_without()
    {
        Assert.Equal(64, ConfigRun.Spec(Config("deepseek_v32", []), new MlaSettings { IndexTopK = 64 }).Indexer!.TopK);
        Assert.Equal(16, ConfigRun.Spec(ConfigRun.With(ConfigRun.DeepSeekV3, ("index_topk", "2048")), new MlaSettings { IndexTopK = 16, IndexHeads = 4, IndexHeadDim = 64 }).Indexer!.TopK);
        Assert.Null(ConfigRun.Resolve(ConfigRun.Parse(ConfigRun.With(ConfigRun.DeepSeekV3, ("index_topk", "2048")))));
    }

    [Fact]
    public void A_missing_dimension_is_listed()
    {
        var config = ConfigRun.Parse(Config("deepseek_v32", []).Replace("\"index_n_heads\": 32, ", "", StringComparison.Ordinal));

        Assert.Equal(["index_n_heads"], ConfigUse.MissingKeys(ConfigRun.Attribute(), config.Model));
        Assert.Empty(ConfigUse.MissingKeys(ConfigRun.Attribute(new MlaSettings { AllowDense = true }), config.Model));
    }

    private static string Config(string type, string[] keys, int layers = 8)
    {
        string rotary = type == "glm5_next" ? "\"qk_rope_head_dim\": 0" : "\"qk_rope_head_dim\": 64, \"rope_theta\": 10000";
        string own = Array.Exists(keys, static key => key.Contains("index_head_dim", StringComparison.Ordinal)) ? Indexer[..Indexer.LastIndexOf(',')] : Indexer;
        return $$"""
            {"model_type": "{{type}}", "hidden_size": 4096, "num_attention_heads": 64, "num_hidden_layers": {{layers}}, "q_lora_rank": 1536, "kv_lora_rank": 512,
             "qk_nope_head_dim": 192, {{rotary}}, "v_head_dim": 256, "max_position_embeddings": 262144, "rms_norm_eps": 1e-05,
             {{string.Join(", ", [own, .. keys])}}}
            """;
    }
}
