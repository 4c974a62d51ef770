using System.Text.Json;
using MlaGen.Generator.Configs;
using MlaGen.Generator.Model;
using MlaGen.Generator.Parsing;
using MlaGen.Generator.Planning;

namespace MlaGen.Generator.Tests.Configs;

/// <summary>Every published model whose attention can be generated, from a configuration in both styles of rope keys, against numbers derived here.</summary>
public class PublishedModelTests
{
    // The model types whose code pairs halves; all others pair neighbours, or do not rotate.
    private static readonly string[] _halfSplit = ["minicpm3"];

    public static TheoryData<string, string, string?, bool> Supportable()
    {
        var data = new TheoryData<string, string, string?, bool>();
        foreach (PublishedModel model in PublishedModel.All.Where(static model => model.IsSupportable))
        {
            foreach ((string outer, string? inner) in model.Types)
            {
                data.Add(model.Name, outer, inner, false);
                data.Add(model.Name, outer, inner, true);
            }
        }

        return data;
    }

    [Fact]
    public void The_table_has_thirty_models_that_can_be_generated()
        => Assert.Equal(30, PublishedModel.All.Count(static model => model.IsSupportable));

    [Theory]
    [MemberData(nameof(Supportable))]
    public void A_published_model_becomes_its_own_shape_scale_and_position_table(string name, string outer, string? inner, bool hasRopeParameters)
    {
        PublishedModel model = PublishedModel.All.Single(candidate => candidate.Name == name);
        MlaSettings settings = model.IsSparse ? new MlaSettings { AllowDense = true } : MlaSettings.Empty;

        MlaSpec spec = ConfigRun.Spec(model.Config((outer, inner), hasRopeParameters), settings);

        Assert.Equal(ExpectedDimensions(model), spec.Dimensions);
        Assert.Equal(ExpectedLayout(inner ?? outer), spec.Rope.Layout);
        Assert.Equal(1e-6, spec.LatentNormEpsilon);
        Assert.False(spec.AttentionBias);
        Assert.Equal(outer.StartsWith("longcat", StringComparison.Ordinal), spec.ScaleQLora);
        Assert.Equal(outer.StartsWith("longcat", StringComparison.Ordinal), spec.ScaleKvLora);
        Assert.Equal(name.StartsWith("Mistral-Small", StringComparison.Ordinal) ? 0.1 : 0, spec.Llama4ScalingBeta);

        RopeConstants constants = RopeConstants.For(spec);
        Assert.Equal(ExpectedScale(model), constants.SoftmaxScale, 1e-15);
        Assert.Equal(1f, constants.AttentionFactor);
        AssertFrequencies(model, spec.Rope.Layout, constants);
    }

    [Theory]
    [InlineData("DeepSeek-V3 / V3-0324 / R1 / R1-0528 (671B)", 0.1352337788608801)]
    [InlineData("DeepSeek-V2-Lite / -Chat (15.7B)", 0.11472138679292611)]
    [InlineData("Kimi-K2-Instruct / Base (1T)", 0.13086079996295005)]
    [InlineData("Kimi-K2.5 / K2.6 / K2.7-Code (text tower)", 0.14467962580268923)]
    [InlineData("Moonlight-16B-A3B", 0.07216878364870322)]
    [InlineData("Mistral-Small-4-119B-2603", 0.19496949473302969)]
    [InlineData("GLM-4.7-Flash (30B-A3B)", 0.0625)]
    [InlineData("MiniCPM3-4B", 0.10206207261596575)]
    public void The_softmax_scale_is_the_one_transformers_uses(string name, double scale)
    {
        PublishedModel model = PublishedModel.All.Single(candidate => candidate.Name == name);

        Assert.Equal(scale, RopeConstants.For(ConfigRun.Spec(model.Config(model.Types[0], hasRopeParameters: false))).SoftmaxScale, 1e-15);
    }

    [Fact]
    public void Mistrals_own_parameters_are_read_as_well()
    {
        PublishedModel model = PublishedModel.All.Single(static candidate => candidate.Name == "Mistral-Large-3-675B");

        MlaSpec spec = ConfigRun.Spec(model.NativeParameters());

        Assert.Equal(ExpectedDimensions(model), spec.Dimensions);
        Assert.Equal(0.1, spec.Llama4ScalingBeta);
        Assert.Equal(8192, spec.Rope.OriginalMaxPositionEmbeddings);
        Assert.Equal((36, 32, 1), (spec.Rope.Factor, spec.Rope.BetaFast, spec.Rope.BetaSlow));
        RopeConstants constants = RopeConstants.For(spec);
        Assert.Equal(Math.Pow(192, -0.5), constants.SoftmaxScale, 1e-15);
        Assert.Equal(1f, constants.AttentionFactor);
    }

    [Fact]
    public void A_vision_language_model_that_leaves_head_widths_out_has_those_of_its_class()
    {
        MlaSpec spec = ConfigRun.Spec("""
            {"model_type": "deepseek_vl_v2", "language_config": {"model_type": "deepseek_v2", "hidden_size": 2560, "num_attention_heads": 32,
             "q_lora_rank": null, "kv_lora_rank": 512, "max_position_embeddings": 4096, "use_mla": true, "topk_method": "noaux_tc"}}
            """);

        Assert.Equal(new Dimensions(2560, 32, 0, 512, 128, 64, 128, 4096), spec.Dimensions);
        Assert.Equal(10000, spec.Rope.Theta);
    }

    [Fact]
    public void MiniCPM3_without_a_value_width_takes_it_from_the_hidden_size()
    {
        PublishedModel model = PublishedModel.All.Single(static candidate => candidate.Name == "MiniCPM3-4B");
        string json = ConfigRun.With(model.Config(("minicpm3", null), hasRopeParameters: false), ("v_head_dim", null), ("rope_theta", null), ("scale_depth", "1.4"), ("scale_emb", "12"));

        Assert.Equal(64, ConfigRun.Spec(json).Dimensions.VHeadDim);
    }

    [Fact]
    public void OpenPangus_older_names_are_aliases()
    {
        MlaSpec spec = ConfigRun.Spec("""
            {"model_type": "pangu_ultra_moe", "hidden_size": 7680, "num_attention_heads": 128, "attention_q_lora_dim": 1536, "attention_kv_lora_dim": 512,
             "attention_qk_dim": 128, "attention_qk_rope_dim": 64, "attention_v_dim": 128, "max_position_embeddings": 131072, "rope_theta": 25600000,
             "num_dense_layers": 3, "num_routed_experts": 256, "sandwich_norm": true}
            """);

        Assert.Equal(new Dimensions(7680, 128, 1536, 512, 128, 64, 128, 131072), spec.Dimensions);
    }

    [Fact]
    public void OpenPangu_2_is_read_with_its_additions_switched_off()
    {
        PublishedModel model = PublishedModel.All.Single(static candidate => candidate.Name.StartsWith("openPangu 2.0", StringComparison.Ordinal));
        string json = ConfigRun.With(
            model.Config(("pangu_v2_moe", null), hasRopeParameters: false),
            ("rope_interleaved", "false"),
            ("param_sink_number", "0"),
            ("swa_layers", "[]"),
            ("use_mhc", "false"));

        Assert.Equal(Model.RopeLayout.HalfSplit, ConfigRun.Spec(json).Rope.Layout);
    }

    [Fact]
    public void Ling_2_5_is_read_as_latent_attention_without_a_gate()
    {
        MlaSpec spec = ConfigRun.Spec(ConfigRun.With(
            ConfigRun.DeepSeekV3,
            ("model_type", "\"bailing_hybrid\""),
            ("rope_scaling", "null"),
            ("partial_rotary_factor", "0.5"),
            ("layer_group_size", "8"),
            ("num_kv_heads_for_linear_attn", "16"),
            ("use_qk_norm", "true"),
            ("score_function", "\"sigmoid\""),
            ("moe_router_enable_expert_bias", "true")));

        Assert.Equal(64, spec.Dimensions.QkRopeHeadDim);
        Assert.Equal(Model.RopeLayout.Interleaved, spec.Rope.Layout);
    }

    [Fact]
    public void A_model_of_which_only_the_family_is_known_lists_what_is_missing()
    {
        PublishedModel model = PublishedModel.All.Single(static candidate => candidate.Name.StartsWith("TeleChat3", StringComparison.Ordinal));
        string json = ConfigRun.With(model.Config(("deepseek_v3", null), hasRopeParameters: false), ("kv_lora_rank", "512"));
        ParsedConfig config = ConfigRun.Parse(json);

        Assert.Null(ConfigRun.Resolve(config));
        Assert.Equal(
            ["num_attention_heads", "qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim", "max_position_embeddings", "rope_theta"],
            ConfigUse.MissingKeys(ConfigRun.Attribute(), config.Model));
    }

    private static Dimensions ExpectedDimensions(PublishedModel model) => new(
        (int)model.Number("hidden_size")!,
        (int)model.Number("num_attention_heads")!,
        (int)(model.Number("q_lora_rank") ?? 0),
        (int)model.Number("kv_lora_rank")!,
        (int)model.Number("qk_nope_head_dim")!,
        (int)model.Number("qk_rope_head_dim")!,
        (int)model.Number("v_head_dim")!,
        model.IsSparse ? 2048 : (int)model.Number("max_position_embeddings")!);

    private static Model.RopeLayout ExpectedLayout(string type)
        => type == "kimi_linear" ? Model.RopeLayout.None : _halfSplit.Contains(type) ? Model.RopeLayout.HalfSplit : Model.RopeLayout.Interleaved;

    private static double Parameter(PublishedModel model, string key) => model.Rope is { } rope && rope.TryGetProperty(key, out JsonElement value) && value.ValueKind == JsonValueKind.Number ? value.GetDouble() : 0;

    private static double ExpectedScale(PublishedModel model)
    {
        double mscale = (0.1 * Parameter(model, "mscale_all_dim") * Math.Log(Math.Max(1, Parameter(model, "factor")))) + 1;
        return mscale * mscale / Math.Sqrt(model.Number("qk_nope_head_dim")!.Value + model.Number("qk_rope_head_dim")!.Value);
    }

    // The formulas of the YaRN and LongRoPE papers in double precision; the product rounds to float as transformers does.
    private static void AssertFrequencies(PublishedModel model, Model.RopeLayout layout, RopeConstants constants)
    {
        if (layout == Model.RopeLayout.None)
        {
            Assert.Empty(constants.InverseFrequencies);
            return;
        }

        int width = (int)model.Number("qk_rope_head_dim")!;
        double theta = model.Number("rope_theta")!.Value;
        string? type = model.Rope?.GetProperty("type").GetString();
        Assert.Equal(width / 2, constants.InverseFrequencies.Count);
        for (int i = 0; i < width / 2; i++)
        {
            double plain = Math.Pow(theta, -2.0 * i / width);
            double expected = type switch
            {
                "yarn" => Yarn(model, width, theta, plain, i),
                "longrope" => plain / model.Rope!.Value.GetProperty("short_factor")[i].GetDouble(),
                _ => plain,
            };
            Assert.Equal(1, constants.InverseFrequencies[i] / expected, 1e-6);
        }
    }

    private static double Yarn(PublishedModel model, int width, double theta, double plain, int i)
    {
        double context = Parameter(model, "original_max_position_embeddings");
        double low = Math.Max(Math.Floor(Pair(Parameter(model, "beta_fast"))), 0);
        double high = Math.Min(Math.Ceiling(Pair(Parameter(model, "beta_slow"))), width - 1);
        double ramp = Math.Clamp((i - low) / (low == high ? 0.001 : high - low), 0, 1);
        return (plain / Parameter(model, "factor") * ramp) + (plain * (1 - ramp));

        double Pair(double rotations) => width * Math.Log(context / (2 * Math.PI * rotations)) / (2 * Math.Log(theta));
    }
}
