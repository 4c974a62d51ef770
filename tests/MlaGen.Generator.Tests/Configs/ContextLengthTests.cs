using System.Globalization;
using MlaGen.Generator.Configs;
using MlaGen.Generator.Model;
using MlaGen.Generator.Parsing;
using MlaGen.Generator.Planning;

namespace MlaGen.Generator.Tests.Configs;

/// <summary>The length that a file states is a parameter of the model; the positions that a class accepts are a limit and enter no number.</summary>
public class ContextLengthTests
{
    private const string Base =
        """
        {"model_type": "deepseek_v3", "hidden_size": 64, "num_attention_heads": 2, "q_lora_rank": null, "kv_lora_rank": 32, "qk_nope_head_dim": 16,
         "qk_rope_head_dim": 8, "v_head_dim": 16, "rope_theta": 10000, "max_position_embeddings": 163840}
        """;

    private const string Yarn = """{"type": "yarn", "factor": null, "original_max_position_embeddings": 4096, "beta_fast": 32, "beta_slow": 1, "mscale": 1, "mscale_all_dim": 1}""";

    private const string YarnWithoutMscale = """{"rope_type": "yarn", "original_max_position_embeddings": 4096}""";

    private const string LongRope = """{"type": "longrope", "original_max_position_embeddings": 4096, "short_factor": [1, 1.1, 1.5, 3], "long_factor": [1, 1.1, 1.5, 3]}""";

    // Everything that a rotation and a scale can be derived from: kinds of scaling, given and derived factors.
    private static readonly string[] _scalings =
    [
        "null",
        """{"type": "default"}""",
        Yarn,
        YarnWithoutMscale,
        Yarn.Replace("null", "40", StringComparison.Ordinal),
        """{"type": "yarn", "factor": 1.0, "mscale_all_dim": 0}""",
        """{"type": "yarn", "factor": 8, "attention_factor": 1.25, "original_max_position_embeddings": 4096}""",
        LongRope,
        LongRope.Replace("\"type\"", "\"factor\": 32, \"type\"", StringComparison.Ordinal),
        LongRope.Replace("\"type\"", "\"attention_factor\": 1.5, \"type\"", StringComparison.Ordinal),
    ];

    public static TheoryData<string> Scalings => [.. _scalings];

    [Theory]
    [MemberData(nameof(Scalings))]
    public void No_limit_of_a_class_changes_a_number(string scaling)
    {
        RopeConstants whole = Constants(With(scaling));

        foreach (int limit in new[] { 1, 16, 4096, 4097, 8192, 163840, 1 << 20 })
        {
            Assert.Equal(whole, Constants(With(scaling), new MlaSettings { MaxPositionEmbeddings = limit }));
        }
    }

    [Theory]
    [MemberData(nameof(Scalings))]
    public void Dense_attention_in_place_of_sparse_changes_no_number(string scaling)
    {
        string sparse = ConfigRun.With(With(scaling), ("q_lora_rank", "48"), ("index_topk", "2048"), ("index_n_heads", "2"), ("index_head_dim", "16"));
        MlaSpec spec = ConfigRun.Spec(sparse, new MlaSettings { AllowDense = true });

        Assert.Equal(2048, spec.Dimensions.MaxPositionEmbeddings);
        Assert.Equal(Constants(ConfigRun.With(With(scaling), ("q_lora_rank", "48"))), RopeConstants.For(spec));
    }

    [Fact]
    public void A_softmax_scale_that_follows_from_the_length_of_the_file_does_not_follow_from_the_limit()
    {
        // 24^-0.5 · (0.1·ln 40 + 1)².
        Assert.Equal(0.38250, Constants(With(Yarn), new MlaSettings { MaxPositionEmbeddings = 8192 }).SoftmaxScale, 5e-6);
        Assert.Equal(0.1 * Math.Log(40) + 1, Constants(With(YarnWithoutMscale), new MlaSettings { MaxPositionEmbeddings = 8192 }).AttentionFactor, 1e-6);
    }

    [Theory]
    [InlineData(null, 1.08012)]
    [InlineData("null", 1.08012)]
    [InlineData("0", 1.08012)]
    [InlineData("4", 1.08012)]
    [InlineData("32", 1.19024)]
    [InlineData("1", 1)]
    [InlineData("0.5", 1)]
    public void LongRope_grows_with_its_factor_or_else_with_the_two_lengths(string? factor, double expected)
    {
        // sqrt(1 + ln(factor) / ln(4096)), as transformers 5.17 computes it.
        string json = ConfigRun.With(With(LongRope), ("max_position_embeddings", "16384"), ("rope_scaling.factor", factor));

        Assert.Empty(ConfigRun.Problems(json));
        Assert.Equal(expected, Constants(json).AttentionFactor, 5e-6);
        Assert.Equal(Constants(json), Constants(json, new MlaSettings { MaxPositionEmbeddings = 4096 }));
    }

    [Fact]
    public void An_attention_factor_of_LongRope_wins_over_its_factor()
        => Assert.Equal(1.5f, Constants(ConfigRun.With(With(LongRope), ("rope_scaling.factor", "32"), ("rope_scaling.attention_factor", "1.5"))).AttentionFactor);

    [Fact]
    public void Short_factors_within_the_original_context_keep_the_growth_of_the_whole_model()
    {
        string json = ConfigRun.With(With(LongRope), ("max_position_embeddings", "16384"), ("rope_scaling.long_factor", "[1, 2, 3, 4]"));
        ParsedConfig config = ConfigRun.Parse(json);

        Assert.Null(ConfigRun.Resolve(config));
        Assert.Null(ConfigRun.Resolve(config, new MlaSettings { MaxPositionEmbeddings = 4097 }));
        RopeConstants limited = Constants(json, new MlaSettings { MaxPositionEmbeddings = 4096 });
        Assert.Equal(1.08012, limited.AttentionFactor, 5e-6);
        Assert.Equal(1f / 1.1f / 10f, limited.InverseFrequencies[1], 1e-7);
    }

    [Fact]
    public void A_factor_that_only_a_class_could_be_asked_for_is_asked_for()
    {
        // The class says how far positions run; how far the model's context was stretched nobody has said.
        ParsedConfig config = ConfigRun.Parse(ConfigRun.With(With(Yarn), ("max_position_embeddings", null)));

        Assert.Equal(["max_position_embeddings"], ConfigUse.MissingKeys(ConfigRun.Attribute(), config.Model));
        Assert.Equal(["factor"], ConfigUse.MissingKeys(ConfigRun.Attribute(new MlaSettings { MaxPositionEmbeddings = 8192 }), config.Model));
        Assert.Null(ConfigRun.Resolve(config, new MlaSettings { MaxPositionEmbeddings = 8192 }));
        Assert.NotNull(ConfigRun.Resolve(config, new MlaSettings { MaxPositionEmbeddings = 8192, RopeFactor = 40 }));
    }

    [Fact]
    public void The_source_of_a_derived_factor_is_named()
    {
        MlaSpec spec = ConfigRun.Spec(With(Yarn), new MlaSettings { MaxPositionEmbeddings = 8192 });

        Assert.Contains(new ValueSource("RopeFactor", "max_position_embeddings of model/config.json / OriginalMaxPositionEmbeddings"), spec.Provenance);
        Assert.Contains(new ValueSource("MaxPositionEmbeddings", "attribute, overriding 163840 of model/config.json"), spec.Provenance);
    }

    [Fact]
    public void A_derived_factor_that_shrinks_the_context_is_refused_where_the_scaling_stands()
    {
        string json = ConfigRun.With(With(Yarn), ("max_position_embeddings", "1024"));
        ParsedConfig config = ConfigRun.Parse(json);

        string? property = Assert.Single(ConfigUse.ValueProblems(ConfigRun.Attribute(), config.Model)).Property;
        Assert.Equal("\"type\":\"yarn\"", json.Substring(config.PlaceOf(property!).Start, config.PlaceOf(property!).Length));
    }

    // Identity: transformers takes the whole context for the original one, and with a factor of 1 nothing depends on it.
    [Theory]
    [InlineData("""{"type": "yarn", "factor": 1.0, "mscale_all_dim": 0}""")]
    [InlineData("""{"rope_type": "yarn", "factor": 1}""")]
    [InlineData("""{"type": "yarn", "factor": 1, "mscale": 1, "mscale_all_dim": 1}""")]
    [InlineData("""{"type": "yarn", "factor": 1, "original_max_position_embeddings": 4096}""")]
    [InlineData("""{"type": "yarn", "factor": 1, "original_max_position_embeddings": 163840, "beta_fast": 32, "beta_slow": 1}""")]
    public void Yarn_that_stretches_nothing_is_no_scaling(string scaling)
    {
        foreach (string type in new[] { "deepseek_v2", "deepseek_v3", "youtu", "youtu_llm", "mistral4", "glm4_moe_lite" })
        {
            string json = ConfigRun.With(With(scaling), ("model_type", $"\"{type}\""));
            RopeConstants plain = Constants(ConfigRun.With(json, ("rope_scaling", null)));
            RopeConstants constants = Constants(json);

            Assert.Empty(ConfigRun.Problems(json));
            Assert.Equal(plain.SoftmaxScale, constants.SoftmaxScale);
            Assert.Equal(1f, constants.AttentionFactor);
            Assert.All(plain.InverseFrequencies.Zip(constants.InverseFrequencies), static pair => Assert.Equal(1, pair.Second / pair.First, 1.2e-7));
        }
    }

    [Theory]
    [InlineData("bailing_hybrid", "yarn")]
    [InlineData("minicpm3", "yarn")]
    [InlineData("deepseek_v3", "linear")]
    public void A_scaling_that_a_class_does_not_know_is_accepted_where_it_stretches_nothing(string type, string scaling)
    {
        string plain = ConfigRun.With(With("null"), ("model_type", $"\"{type}\""));
        string json = ConfigRun.With(plain, ("rope_scaling", $"{{\"type\": \"{scaling}\", \"factor\": 1.0, \"beta_fast\": 32}}"));

        Assert.Empty(ConfigRun.Problems(json));
        Assert.Equal(ConfigRun.Spec(plain), ConfigRun.Spec(json));
        Assert.StartsWith("MLA0112 ", Assert.Single(ConfigRun.Problems(ConfigRun.With(json, ("rope_scaling.factor", "2")))), StringComparison.Ordinal);
        Assert.StartsWith("MLA0112 ", Assert.Single(ConfigRun.Problems(ConfigRun.With(json, ("rope_scaling.attention_factor", "1.5")))), StringComparison.Ordinal);
    }

    [Fact]
    public void The_longest_input_is_no_length_of_the_model()
    {
        string json = ConfigRun.With(With(Yarn), ("max_position_embeddings", null), ("model_max_length", "8192"));

        Assert.Equal("MLA0109 \"model_max_length\":8192 | 'max_position_embeddings' is missing; expected a whole number, since the factor of the scaling follows from it", Assert.Single(ConfigRun.Problems(json)));
        Assert.Equal(8192, ConfigRun.Spec(ConfigRun.With(json, ("rope_scaling.factor", "40"))).Dimensions.MaxPositionEmbeddings);
    }

    [Fact]
    public void A_given_factor_on_cosine_and_sine_is_kept_where_Mistral_derives_none()
    {
        string json = ConfigRun.With(With(Yarn), ("model_type", "\"mistral4\""), ("rope_scaling.apply_scale", "false"));

        Assert.Equal((1f, Math.Pow(24, -0.5)), Scales(json));
        Assert.Equal((1.25f, Math.Pow(24, -0.5)), Scales(ConfigRun.With(json, ("rope_scaling.attention_factor", "1.25"))));

        static (float, double) Scales(string json) => (Constants(json).AttentionFactor, Constants(json).SoftmaxScale);
    }

    [Fact]
    public void Yarn_that_stretches_needs_its_original_context()
        => Assert.Equal(
            ["original_max_position_embeddings"],
            ConfigUse.MissingKeys(ConfigRun.Attribute(), ConfigRun.Parse(With("""{"type": "yarn", "factor": 2}""")).Model));

    /// <summary>Whatever is said to have no effect has none: with any value the layer is the one without the key.</summary>
    [Fact]
    public void A_key_that_is_said_to_have_no_effect_has_none()
    {
        (string Key, string Value)[] keys =
        [
            ("rope_interleave", "true"), ("rope_interleave", "false"), ("mla_scale_q_lora", "false"), ("mla_scale_kv_lora", "false"), ("rope_scaling.factor", "32"),
            ("rope_scaling.attention_factor", "1.5"), ("rope_scaling.mscale", "0.7"), ("rope_scaling.mscale_all_dim", "0.7"), ("rope_scaling.beta_fast", "16"),
            ("rope_scaling.beta_slow", "2"), ("rope_scaling.truncate", "true"), ("rope_scaling.original_max_position_embeddings", "2048"),
        ];
        var remarked = new HashSet<(string Key, string Value)>();
        foreach (string type in ModelProfile.Types)
        {
            foreach (string scaling in _scalings)
            {
                string json = ConfigRun.With(With(scaling == "null" ? "{}" : scaling), ("model_type", $"\"{type}\""), ("q_lora_rank", "48"));
                foreach ((string key, string value) in keys)
                {
                    string changed = ConfigRun.With(json, (key, value));
                    ParsedConfig config = ConfigRun.Parse(changed);
                    if (config.Problems.Any(problem => problem.Rule == ConfigRules.KeyWithoutEffect && problem.Arguments[0] == key.Split('.')[^1]) && ConfigRun.Resolve(config) is { } spec)
                    {
                        remarked.Add((key, value));
                        Assert.Equal(ConfigRun.Spec(ConfigRun.With(json, (key, null))) with { Provenance = default }, spec with { Provenance = default });
                    }
                }
            }
        }

        Assert.All(keys, key => Assert.Contains(key, remarked));
    }

    private static string With(string scaling) => ConfigRun.With(Base, ("rope_scaling", scaling));

    private static RopeConstants Constants(string json, MlaSettings? settings = null) => RopeConstants.For(ConfigRun.Spec(json, settings));
}
