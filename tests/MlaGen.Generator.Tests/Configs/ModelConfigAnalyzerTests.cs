using System.Collections.Immutable;
using System.Globalization;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace MlaGen.Generator.Tests.Configs;

/// <summary>Diagnostics about configurations as a build shows them: at line and column of the JSON file, once.</summary>
public class ModelConfigAnalyzerTests
{
    private const string Sparse = "\"index_topk\": 2048, \"index_n_heads\": 64, \"index_head_dim\": 128";

    [Fact]
    public async Task A_valid_configuration_gives_a_class_and_no_diagnostic()
    {
        ConfigProject project = ConfigProject.Of(ConfigRun.DeepSeekV3);

        Assert.Empty(await project.Analyze());
        Assert.NotEmpty(project.Generate().GeneratedSources);
    }

    [Fact]
    public async Task A_mistake_stands_at_its_line_and_column_and_nothing_is_generated()
    {
        ConfigProject project = ConfigProject.Of(Line("\"num_attention_heads\": 128", "\"num_attention_heads\": \"many\""));

        Assert.Equal(["/models/model/config.json(4,26): error MLA0109: 'num_attention_heads' is \"many\"; expected a whole number, 1 or more"], await Show(project));
        Assert.Empty(project.Generate().GeneratedSources);
    }

    [Fact]
    public async Task A_syntax_error_stands_at_its_line_and_column()
        => Assert.Equal(
            ["/models/model/config.json(2,26): error MLA0102: Not valid JSON: found ']'; expected ',' or '}'"],
            await Show(ConfigProject.Of("{\n  \"model_type\": \"kimi_k2\"]\n}")));

    [Fact]
    public async Task A_file_that_cannot_be_read_is_reported_at_its_start()
        => Assert.Equal(
            ["/models/model/config.json(1,1): error MLA0101: The model configuration 'model/config.json' cannot be read; expected a JSON file"],
            await Show(new ConfigProject(ConfigProject.OneClass, ("model", ConfigRun.Path, null))));

    [Fact]
    public async Task A_mistake_is_reported_once_for_two_classes()
    {
        const string TwoClasses = ConfigProject.OneClass + "\n[MlaAttention(\"model\")] public sealed partial class Other;";

        Assert.Single(await Show(ConfigProject.Of(Line("\"q_lora_rank\": 1536", "\"q_lora_rank\": -1"), TwoClasses)));
        Assert.Single(await Show(ConfigProject.Of(Line("\"q_lora_rank\": 1536", "\"q_lora_rank\": 1536, " + Sparse), TwoClasses)));
        Assert.Single(await Show(ConfigProject.Of(Line("  \"v_head_dim\": 128,\n", string.Empty), TwoClasses)));
        Assert.Single(await Show(ConfigProject.Of(Line("\"qk_rope_head_dim\": 64", "\"qk_rope_head_dim\": 63"), TwoClasses)));
    }

    [Fact]
    public async Task A_configuration_that_no_class_uses_is_checked_as_well()
        => Assert.Single(await Show(ConfigProject.Of("{", "internal static class Nothing;")));

    [Fact]
    public async Task A_name_that_no_item_has_is_reported_at_the_attribute()
        => Assert.Equal(
            ["(1,45): error MLA0100: The project has no MlaModelConfig item named 'model'; there are 'other'. Add <MlaModelConfig Include=\"path/to/config.json\" Name=\"model\" /> to an ItemGroup of the project, with the path of the model's own file"],
            await Show(new ConfigProject(ConfigProject.OneClass, ("other", "/models/other/config.json", ConfigRun.DeepSeekV3))));

    [Fact]
    public async Task Two_items_of_one_name_are_reported_at_the_second()
    {
        var project = new ConfigProject(ConfigProject.OneClass, ("model", ConfigRun.Path, ConfigRun.DeepSeekV3), ("model", "/elsewhere/model/config.json", ConfigRun.DeepSeekV3));

        Assert.Equal(
            ["/elsewhere/model/config.json(1,1): error MLA0103: The name 'model' is already that of 'model/config.json'; give one of the two MlaModelConfig items another Name"],
            await Show(project));
    }

    [Fact]
    public async Task Missing_keys_are_listed_at_the_model_type()
    {
        string json = Line("  \"v_head_dim\": 128,\n", string.Empty).Replace("  \"rope_theta\": 10000,\n", string.Empty, StringComparison.Ordinal);

        Assert.Equal(
            ["/models/model/config.json(2,3): error MLA0110: The configuration says nothing of v_head_dim (VHeadDim), rope_theta (RopeTheta); the class that uses it must, or the file"],
            await Show(ConfigProject.Of(json)));
    }

    [Theory]
    [InlineData("kv_lora_rank", "kv_lora_rnk", "MLA0105", "there is no kv_lora_rank, the width of the latent, and 'kv_lora_rnk' looks like it")]
    [InlineData("kv_lora_rank", "kv_lora_ranks", "MLA0105", "and 'kv_lora_ranks' looks like it")]
    [InlineData("hidden_size", "hiden_size", "MLA0110", "says nothing of hidden_size (HiddenSize); the class that uses it must, or the file; 'hiden_size' resembles hidden_size")]
    [InlineData("v_head_dim", "v_head_dm", "MLA0107", "could change the arithmetic of attention; it resembles 'v_head_dim'")]
    [InlineData("max_position_embeddings", "max_position_embedings", "MLA0107", "it resembles 'max_position_embeddings'")]
    [InlineData("beta_fast", "beta_fats", "MLA0107", "it resembles 'beta_fast'")]
    public async Task A_misspelt_key_is_found_as_such(string key, string misspelt, string id, string said)
    {
        Diagnostic found = Assert.Single(await ConfigProject.Of(Line($"\"{key}\"", $"\"{misspelt}\"")).Analyze());

        Assert.Equal(id, found.Id);
        Assert.Contains(said, found.GetMessage(CultureInfo.InvariantCulture), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_key_that_is_itself_known_is_nobodys_misspelling()
        => Assert.DoesNotContain("looks like", Assert.Single(await ConfigProject.Of(Line("  \"kv_lora_rank\": 512,\n", string.Empty)).Analyze()).GetMessage(CultureInfo.InvariantCulture), StringComparison.Ordinal);

    [Fact]
    public async Task What_the_file_leaves_out_the_attribute_may_give()
    {
        ConfigProject project = ConfigProject.Of(Line("  \"v_head_dim\": 128,\n", string.Empty), ConfigProject.OneClass.Replace("\"model\"", "\"model\", VHeadDim = 96", StringComparison.Ordinal));

        Assert.Empty(await project.Analyze());
        Assert.NotEmpty(project.Generate().GeneratedSources);
    }

    [Theory]
    [InlineData("\"\\u001b[2J_attn\\u202e\\u009b\": 5")]
    [InlineData("\"hidden_act\": 1, \"q_lora_rank\": \"\\u001b[2J\\u202e\\u009b\"")]
    [InlineData("\"model_type\": \"\\u001b[2J\\u202e\\u009b\"")]
    public async Task What_a_file_says_reaches_no_terminal_as_control_characters(string members)
    {
        string[] shown = await Show(ConfigProject.Of(Line("\"q_lora_rank\": 1536", members)));

        Assert.NotEmpty(shown);
        Assert.All(shown, static line => Assert.DoesNotContain(line, static c => char.IsControl(c) || c == '\u202e'));
    }

    [Fact]
    public async Task A_sparse_model_needs_permission_to_be_dense()
    {
        string json = Line("\"q_lora_rank\": 1536", "\"q_lora_rank\": 1536, " + Sparse);

        Assert.Equal(
            ["/models/model/config.json(5,24): error MLA0114: The model attends through a sparse indexer to 2048 keys a query, and how its model type computes scores is not known; AllowDense = true on the class accepts dense attention, which is the same up to position 2048"],
            await Show(ConfigProject.Of(json)));
        Assert.Empty(ConfigProject.Of(json).Generate().GeneratedSources);
        Assert.Empty(await Show(ConfigProject.Of(json, ConfigProject.OneClass.Replace("\"model\"", "\"model\", AllowDense = true", StringComparison.Ordinal))));
    }

    [Fact]
    public async Task Positions_beyond_the_indexer_are_refused_at_the_attribute()
    {
        string json = Line("\"q_lora_rank\": 1536", "\"q_lora_rank\": 1536, " + Sparse);
        string source = ConfigProject.OneClass.Replace("\"model\"", "\"model\", AllowDense = true, MaxPositionEmbeddings = 4096", StringComparison.Ordinal);

        Assert.Equal(
            ["(1,73): error MLA0007: MaxPositionEmbeddings is 4096; the largest supported value is 2048, index_topk of model/config.json: further on dense and sparse attention differ"],
            await Show(ConfigProject.Of(json, source)));
        Assert.Empty(ConfigProject.Of(json, source).Generate().GeneratedSources);
    }

    [Theory]
    [InlineData("\"qk_rope_head_dim\": 64", "\"qk_rope_head_dim\": 63", "(8,3): error MLA0115: No layer can be generated from this: QkRopeHeadDim is 63; expected an even number, since elements are rotated in pairs")]
    [InlineData("\"factor\": 40", "\"factor\": 0.5", "(15,5): error MLA0115: No layer can be generated from this: The YaRN factor is 0.5; expected at least 1")]
    [InlineData("\"beta_fast\": 32", "\"beta_fast\": 0.5", "(17,5): error MLA0115: No layer can be generated from this: BetaFast is 0.5 and BetaSlow is 1; expected BetaFast to be at least BetaSlow")]
    public async Task A_value_that_makes_no_layer_is_refused_in_the_file(string old, string changed, string expected)
        => Assert.Equal(["/models/model/config.json" + expected], await Show(ConfigProject.Of(Line(old, changed))));

    [Fact]
    public async Task A_wrong_value_of_the_attribute_is_refused_there()
        => Assert.Equal(
            ["(1,54): error MLA0008: QkRopeHeadDim is 63; expected an even number, since elements are rotated in pairs"],
            await Show(ConfigProject.Of(ConfigRun.DeepSeekV3, ConfigProject.OneClass.Replace("\"model\"", "\"model\", QkRopeHeadDim = 63", StringComparison.Ordinal))));

    [Theory]
    [InlineData(ReportDiagnostic.Suppress, 0)]
    [InlineData(ReportDiagnostic.Warn, 1)]
    public async Task A_diagnostic_in_a_file_is_suppressed_for_the_project(ReportDiagnostic severity, int count)
    {
        ConfigProject plain = ConfigProject.Of(ConfigRun.With(ConfigRun.DeepSeekV3, ("rms_norm_eps", "1e-05"), ("use_qk_norm", "true")));
        var options = plain.Compilation.Options.WithSpecificDiagnosticOptions(ImmutableDictionary<string, ReportDiagnostic>.Empty.Add("MLA0120", severity).Add("MLA0108", severity));
        var project = new ConfigProject(ConfigProject.OneClass, ("model", ConfigRun.Path, ConfigRun.With(ConfigRun.DeepSeekV3, ("rms_norm_eps", "1e-05"), ("use_qk_norm", "true"))))
        {
            Compilation = plain.Compilation.WithOptions(options),
        };

        ImmutableArray<Diagnostic> found = await project.Analyze();

        Assert.Equal(count, found.Count(static diagnostic => diagnostic.Id == "MLA0120"));
        Assert.Equal(count, found.Count(static diagnostic => diagnostic.Id == "MLA0108"));
    }

    [Fact]
    public async Task Files_without_the_name_of_a_configuration_are_left_alone()
        => Assert.Empty(await new ConfigProject("internal static class Nothing;", (string.Empty, "/a/notes.json", "{")).Analyze());

    private static string Line(string old, string changed)
    {
        Assert.Contains(old, ConfigRun.DeepSeekV3, StringComparison.Ordinal);
        return ConfigRun.DeepSeekV3.Replace(old, changed, StringComparison.Ordinal);
    }

    private static async Task<string[]> Show(ConfigProject project)
        => [.. (await project.Analyze()).Select(static diagnostic => diagnostic.ToString())];
}
