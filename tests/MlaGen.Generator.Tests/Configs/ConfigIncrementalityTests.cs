using System.Collections.Immutable;
using System.Text.Json;
using Microsoft.CodeAnalysis;
using MlaGen.Generator.Configs;
using MlaGen.Generator.Model;
using MlaGen.Generator.Tests.Infrastructure;

namespace MlaGen.Generator.Tests.Configs;

/// <summary>What an edit of a configuration makes the generator do again.</summary>
public class ConfigIncrementalityTests
{
    private const string Classes = """
        using MlaGen;
        namespace Demo;
        [MlaAttention("one")] public sealed partial class First;
        [MlaAttention("two", MaxPositionEmbeddings = 4096)] public sealed partial class Second;
        """;

    private static readonly JsonSerializerOptions _indented = new() { WriteIndented = true };

    [Fact]
    public void A_reformatted_configuration_emits_nothing_again()
    {
        GeneratorRunResult result = Edit(Reformat(ConfigRun.DeepSeekV3));

        Assert.All(Reasons(result, StepNames.ParseConfig), AssertIsOld);
        Assert.All(Reasons(result, StepNames.Output), AssertIsOld);
    }

    [Fact]
    public void A_key_that_is_no_concern_of_attention_emits_nothing_again()
        => Assert.All(Reasons(Edit(ConfigRun.With(ConfigRun.DeepSeekV3, ("vocab_size", "1"))), StepNames.Output), AssertIsOld);

    [Fact]
    public void A_changed_number_emits_only_the_class_that_uses_it_again()
    {
        GeneratorRunResult result = Edit(ConfigRun.With(ConfigRun.DeepSeekV3, ("kv_lora_rank", "256")));

        Assert.Single(Reasons(result, StepNames.ResolveSpec), static reason => reason == IncrementalStepRunReason.Modified);
        Assert.Single(Reasons(result, StepNames.Output), static reason => reason == IncrementalStepRunReason.Modified);
        Assert.Equal(2, Reasons(result, StepNames.Output).Length);
    }

    [Fact]
    public void A_parsed_configuration_holds_no_place_in_its_file()
    {
        ConfigModel one = ConfigRun.Parse(ConfigRun.DeepSeekV3).Model;
        ConfigModel other = ConfigRun.Parse(Reformat(ConfigRun.DeepSeekV3)).Model;

        Assert.Equal(one, other);
        Assert.Null(ObjectGraph.FindForbidden(one));
    }

    [Fact]
    public void A_specification_tells_where_its_values_come_from()
    {
        MlaSpec spec = ConfigRun.Spec(
            ConfigRun.With(ConfigRun.DeepSeekV3, ("index_topk", "2048")),
            new MlaSettings { AllowDense = true, KvLoraRank = 256, SoftmaxScale = 0.5 });
        Dictionary<string, string> sources = spec.Provenance.ToDictionary(static source => source.Property, static source => source.Source);

        Assert.Equal("model/config.json", sources["HiddenSize"]);
        Assert.Equal("attribute, overriding 512 of model/config.json", sources["KvLoraRank"]);
        Assert.Equal("attribute", sources["SoftmaxScale"]);
        Assert.Equal("index_topk of model/config.json, up to which dense and sparse attention agree", sources["MaxPositionEmbeddings"]);
        Assert.DoesNotContain("ShortFactor", sources.Keys);
    }

    private static string Reformat(string json)
    {
        // Members in another order, indented, whole numbers as floats.
        using System.Text.Json.JsonDocument document = System.Text.Json.JsonDocument.Parse(json);
        IEnumerable<KeyValuePair<string, JsonElement>> members = document.RootElement.EnumerateObject().Reverse().Select(static member => KeyValuePair.Create(member.Name, member.Value));
        return JsonSerializer.Serialize(new Dictionary<string, JsonElement>(members), _indented).Replace("7168", "7168.0", StringComparison.Ordinal);
    }

    private static GeneratorRunResult Edit(string json)
    {
        var project = new ConfigProject(Classes, ("one", "/m/one/config.json", ConfigRun.DeepSeekV3), ("two", "/m/two/config.json", ConfigRun.DeepSeekV3));
        GeneratorRunResult result = project.Edit(project.Drive(), 0, json).GetRunResult().Results.Single();
        Assert.Null(result.Exception);
        return result;
    }

    private static ImmutableArray<IncrementalStepRunReason> Reasons(GeneratorRunResult result, string step)
        => [.. result.TrackedSteps[step].SelectMany(static run => run.Outputs).Select(static output => output.Reason)];

    private static void AssertIsOld(IncrementalStepRunReason reason)
        => Assert.True(reason is IncrementalStepRunReason.Cached or IncrementalStepRunReason.Unchanged, reason.ToString());
}
