using MlaGen.Generator.Model;
using MlaGen.Generator.Planning;

namespace MlaGen.Generator.Tests.Configs;

/// <summary>What is accepted with a remark: each of them says what the layer will compute.</summary>
public class ConfigRemarkTests
{
    [Fact]
    public void An_epsilon_that_the_latent_norms_do_not_use_is_remarked()
    {
        string json = Changed(("rms_norm_eps", "1e-05"));

        AssertRemark(json, "MLA0120 \"rms_norm_eps\":1e-05 | ");
        Assert.Equal(1e-6, ConfigRun.Spec(json).LatentNormEpsilon);
    }

    [Fact]
    public void Yarn_without_mscale_is_remarked_and_scales_cosine_and_sine()
    {
        string json = Changed(("rope_scaling.mscale", null), ("rope_scaling.mscale_all_dim", null), ("rope_scaling.factor", "36"));

        AssertRemark(json, "MLA0121 \"type\":\"yarn\" | ");
        Assert.Equal(1.3583519, RopeConstants.For(ConfigRun.Spec(json)).AttentionFactor, 1e-6);
    }

    [Theory]
    [InlineData("deepseek_v2", "rope_interleave", "false")]
    [InlineData("deepseek_v32", "rope_interleave", "false")]
    [InlineData("longcat_flash", "rope_interleave", "false")]
    [InlineData("longcat_flash", "mla_scale_q_lora", "false")]
    [InlineData("longcat_flash", "mla_scale_kv_lora", "false")]
    public void A_key_that_the_models_class_does_not_read_is_remarked(string type, string key, string value)
    {
        string json = Changed(("model_type", $"\"{type}\""), (key, value), ("rope_scaling", null));

        AssertRemark(json, $"MLA0122 \"{key}\":{value} | '{key}' is {value} and has no effect: ");
        MlaSpec spec = ConfigRun.Spec(json);
        Assert.Equal(Model.RopeLayout.Interleaved, spec.Rope.Layout);
        Assert.Equal(type == "longcat_flash", spec.ScaleQLora && spec.ScaleKvLora);
    }

    [Fact]
    public void Halves_are_paired_by_MiniCPM3_whatever_the_flag_says()
    {
        string json = Changed(("model_type", "\"minicpm3\""), ("rope_interleave", "true"), ("rope_scaling", null));

        AssertRemark(json, "MLA0122 \"rope_interleave\":true | ");
        Assert.Equal(Model.RopeLayout.HalfSplit, ConfigRun.Spec(json).Rope.Layout);
    }

    [Theory]
    [InlineData("rope_interleave")]
    [InlineData("rope_interleaved")]
    public void The_flag_decides_where_the_models_class_reads_it(string key)
    {
        Assert.Equal(Model.RopeLayout.HalfSplit, ConfigRun.Spec(Changed((key, "false"))).Rope.Layout);
        Assert.Equal(Model.RopeLayout.Interleaved, ConfigRun.Spec(Changed((key, "true"))).Rope.Layout);
    }

    [Fact]
    public void Parameters_of_an_unscaled_rotation_are_remarked()
        => AssertRemark(Changed(("rope_scaling", "{\"type\":\"default\",\"factor\":40}")), "MLA0122 \"factor\":40 | 'factor' is 40 and has no effect: the rope_type is default");

    [Fact]
    public void A_head_dim_that_is_not_the_rotary_width_is_remarked()
        => AssertRemark(Changed(("head_dim", "192")), "MLA0123 \"head_dim\":192 | 'head_dim' is 192 and is ignored; the rotary width is qk_rope_head_dim, 64");

    [Fact]
    public void The_softmax_scale_of_DeepSeek_V2_is_remarked()
        => AssertRemark(Changed(("model_type", "\"deepseek_v2\"")), "MLA0124 \"mscale_all_dim\":1.0 | ");

    [Fact]
    public void The_softmax_scale_of_Mistral_is_remarked_unless_the_file_decides_it()
    {
        AssertRemark(Changed(("model_type", "\"mistral4\"")), "MLA0125 \"mscale_all_dim\":1.0 | ");
        string decided = Changed(("model_type", "\"mistral4\""), ("rope_scaling.apply_scale", "false"));

        Assert.Empty(ConfigRun.Problems(decided));
        Assert.Equal(Math.Pow(192, -0.5), RopeConstants.For(ConfigRun.Spec(decided)).SoftmaxScale, 1e-15);
    }

    [Fact]
    public void Equal_widths_are_remarked_except_for_Mistral()
    {
        AssertRemark(Changed(("qk_nope_head_dim", "64")), "MLA0126 \"qk_rope_head_dim\":64 | ");
        Assert.Empty(ConfigRun.Problems(Changed(("model_type", "\"mistral4\""), ("qk_nope_head_dim", "64"), ("rope_scaling", null), ("partial_rotary_factor", "0.5"), ("head_dim", "128"))));
    }

    [Fact]
    public void An_unknown_model_type_that_states_its_rotary_layout_is_read_as_DeepSeek_V3()
    {
        string json = Changed(("model_type", "\"new_model\""), ("rope_interleave", "false"));

        AssertRemark(json, "MLA0127 \"model_type\":\"new_model\" | ");
        Assert.Equal(Model.RopeLayout.HalfSplit, ConfigRun.Spec(json).Rope.Layout);
    }

    private static string Changed(params (string Key, string? Value)[] members) => ConfigRun.With(ConfigRun.DeepSeekV3, members);

    private static void AssertRemark(string json, string start)
    {
        string problem = Assert.Single(ConfigRun.Problems(json));
        Assert.StartsWith(start, problem, StringComparison.Ordinal);
        Assert.NotNull(ConfigRun.Resolve(ConfigRun.Parse(json)));
    }
}
