using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using MlaGen.Tests.Files;
using Storyteller.Model;

namespace MlaGen.Tests.Storyteller;

public class ModelConfigTests
{
    [Fact]
    public void The_story_model_is_read()
    {
        ModelConfig config = Load(_ => { });

        Assert.Equal(4, config.Layers);
        Assert.Equal(495, config.VocabularySize);
        Assert.Equal(8, config.RoutedExperts);
        Assert.Equal(1.5f, config.RoutedScalingFactor);
        Assert.True(config.NormalizeExpertWeights);
    }

    [Theory]
    [InlineData("hidden_size", 256)]
    [InlineData("num_attention_heads", 8)]
    [InlineData("q_lora_rank", 128)]
    [InlineData("kv_lora_rank", 64)]
    [InlineData("qk_nope_head_dim", 32)]
    [InlineData("qk_rope_head_dim", 16)]
    [InlineData("v_head_dim", 32)]
    [InlineData("max_position_embeddings", 1024)]
    public void Another_attention_shape_is_refused_with_both_values(string key, int compiled)
    {
        AssertRefused(config => config[key] = compiled * 2, $": {key} is {compiled * 2}, but StoryAttention was compiled for {compiled}");
        AssertRefused(config => config.Remove(key), $": {key} is {(key == "q_lora_rank" ? "0" : "missing")}, but StoryAttention was compiled for {compiled}");
    }

    [Theory]
    [InlineData("rope_theta", 500000)]
    [InlineData("factor", 8)]
    [InlineData("original_max_position_embeddings", 128)]
    [InlineData("beta_fast", 16)]
    [InlineData("beta_slow", 2)]
    [InlineData("mscale", 0.5)]
    [InlineData("mscale_all_dim", 0.5)]
    [InlineData("attention_factor", 1.5)]
    [InlineData("truncate", 0)]
    public void Another_rotary_embedding_is_refused(string key, double value) =>
        AssertRefused(config => config["rope_parameters"]![key] = value, $": {key} is {value.ToString(CultureInfo.InvariantCulture)}, but StoryAttention");

    [Fact]
    public void Rotary_embeddings_without_yarn_are_refused()
    {
        AssertRefused(config => config["rope_parameters"]!["rope_type"] = "default", "rope_type is default");
        AssertRefused(config => config.Remove("rope_parameters"), "rope_parameters are missing");
        AssertRefused(config => config["rope_interleave"] = false, "rope_interleave is 0");
        AssertRefused(config => config["attention_bias"] = true, "attention_bias is 1");
    }

    [Fact]
    public void Rotary_parameters_may_be_given_in_the_older_form()
    {
        ModelConfig config = Load(config =>
        {
            JsonObject rope = config["rope_parameters"]!.DeepClone().AsObject();
            rope.Remove("rope_theta");
            rope.Remove("rope_type");
            rope["type"] = "yarn";
            config.Remove("rope_parameters");
            config["rope_scaling"] = rope;
            config["rope_theta"] = 10000.0;
        });

        Assert.Equal(256, config.HiddenSize);
    }

    [Theory]
    [InlineData("num_hidden_layers", "0", "num_hidden_layers: 0 is not between 1 and")]
    [InlineData("vocab_size", "-1", "vocab_size: -1 is not between 1 and")]
    [InlineData("eos_token_id", "495", "eos_token_id: 495 is not between 0 and 494")]
    [InlineData("n_group", "3", "n_routed_experts: 8 experts cannot be divided into 3 groups")]
    [InlineData("n_group", "8", "n_group: 8 is not between 1 and 4")]
    [InlineData("topk_group", "5", "topk_group: 5 is not between 1 and 4")]
    [InlineData("num_experts_per_tok", "5", "num_experts_per_tok: 5 is not between 1 and 4")]
    [InlineData("hidden_act", "\"gelu\"", "hidden_act: 'gelu' is not supported")]
    [InlineData("scoring_func", "\"softmax\"", "scoring_func: 'softmax' is not supported")]
    [InlineData("topk_method", "\"greedy\"", "topk_method: 'greedy' is not supported")]
    [InlineData("rms_norm_eps", "0", "rms_norm_eps: 0 is not a small positive number")]
    [InlineData("n_routed_experts", "\"many\"", "is not a model configuration")]
    [InlineData("n_routed_experts", "1e99", "is not a model configuration")]
    [InlineData("hidden_size", "\"wide\"", "hidden_size is \"wide\", not a number")]
    public void Values_that_make_no_model_are_refused(string key, string value, string problem) =>
        AssertRefused(config => config[key] = JsonNode.Parse(value), problem);

    [Theory]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("[]")]
    [InlineData("null")]
    [InlineData("{}")]
    public void A_file_that_holds_no_configuration_is_refused(string json)
    {
        using TemporaryDirectory directory = new();
        string path = directory.Write("config.json", Encoding.UTF8.GetBytes(json));

        InvalidDataException error = Assert.Throws<InvalidDataException>(() => ModelConfig.Load(path));

        Assert.StartsWith(path, error.Message, StringComparison.Ordinal);
    }

    private static void AssertRefused(Action<JsonObject> change, string problem)
    {
        InvalidDataException error = Assert.Throws<InvalidDataException>(() => Load(change));
        Assert.Contains(problem, error.Message, StringComparison.Ordinal);
        Assert.Contains("config.json", error.Message, StringComparison.Ordinal);
    }

    private static ModelConfig Load(Action<JsonObject> change)
    {
        JsonObject config = JsonNode.Parse(File.ReadAllBytes(Path.Combine(StoryData.ModelDirectory, "config.json")))!.AsObject();
        change(config);
        using TemporaryDirectory directory = new();
        return ModelConfig.Load(directory.Write("config.json", Encoding.UTF8.GetBytes(config.ToJsonString())));
    }
}
