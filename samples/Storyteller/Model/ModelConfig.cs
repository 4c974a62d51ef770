using System.Text.Json;
using System.Text.Json.Serialization;
using Samples;

namespace Storyteller.Model;

/// <summary>What a DeepSeek-V3 <c>config.json</c> says about the parts around the attention.</summary>
/// <remarks>The attention itself was compiled for one shape: <see cref="AttentionCheck"/> compares that shape with the file.</remarks>
internal sealed record ModelConfig
{
    private static readonly JsonSerializerOptions Options = new() { RespectRequiredConstructorParameters = true, RespectNullableAnnotations = true };

    [JsonPropertyName("hidden_size")]
    public required int HiddenSize { get; init; }

    [JsonPropertyName("vocab_size")]
    public required int VocabularySize { get; init; }

    [JsonPropertyName("num_hidden_layers")]
    public required int Layers { get; init; }

    [JsonPropertyName("rms_norm_eps")]
    public required float RmsNormEpsilon { get; init; }

    [JsonPropertyName("eos_token_id")]
    public required int EndToken { get; init; }

    /// <summary>Width of the feed-forward part of a dense layer.</summary>
    [JsonPropertyName("intermediate_size")]
    public required int IntermediateSize { get; init; }

    /// <summary>The first layers, which have one dense feed-forward part instead of experts.</summary>
    [JsonPropertyName("first_k_dense_replace")]
    public required int DenseLayers { get; init; }

    /// <summary>Width of one expert.</summary>
    [JsonPropertyName("moe_intermediate_size")]
    public required int MoeIntermediateSize { get; init; }

    [JsonPropertyName("n_routed_experts")]
    public required int RoutedExperts { get; init; }

    [JsonPropertyName("n_shared_experts")]
    public required int SharedExperts { get; init; }

    [JsonPropertyName("num_experts_per_tok")]
    public required int ExpertsPerToken { get; init; }

    [JsonPropertyName("n_group")]
    public required int ExpertGroups { get; init; }

    [JsonPropertyName("topk_group")]
    public required int ChosenExpertGroups { get; init; }

    [JsonPropertyName("norm_topk_prob")]
    public required bool NormalizeExpertWeights { get; init; }

    [JsonPropertyName("routed_scaling_factor")]
    public required float RoutedScalingFactor { get; init; }

    [JsonPropertyName("hidden_act")]
    public string Activation { get; init; } = "silu";

    [JsonPropertyName("scoring_func")]
    public string ScoringFunction { get; init; } = "sigmoid";

    [JsonPropertyName("topk_method")]
    public string TopKMethod { get; init; } = "noaux_tc";

    [JsonPropertyName("moe_layer_freq")]
    public int MoeLayerFrequency { get; init; } = 1;

    /// <summary>Whether the output layer is the embedding table.</summary>
    [JsonPropertyName("tie_word_embeddings")]
    public bool TiedEmbeddings { get; init; }

    /// <summary>Reads and checks <c>config.json</c>, the attention's dimensions included.</summary>
    /// <exception cref="InvalidDataException">The file is not such a configuration, or not one for <see cref="StoryAttention"/>.</exception>
    public static ModelConfig Load(string path)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(ModelFile.ReadAllBytes(path));
            Require(path, "the document", document.RootElement.ValueKind == JsonValueKind.Object, "a JSON object is expected");
            AttentionCheck.Run(document.RootElement, path);
            ModelConfig config = document.Deserialize<ModelConfig>(Options)!;
            config.Check(path);
            return config;
        }
        catch (JsonException error)
        {
            throw new InvalidDataException($"{path} is not a model configuration: {error.Message}", error);
        }
    }

    private void Check(string path)
    {
        RequireBetween(path, "vocab_size", VocabularySize, 1, 1 << 24);
        RequireBetween(path, "num_hidden_layers", Layers, 1, 1 << 12);
        RequireBetween(path, "eos_token_id", EndToken, 0, VocabularySize - 1);
        RequireBetween(path, "intermediate_size", IntermediateSize, 1, 1 << 20);
        RequireBetween(path, "first_k_dense_replace", DenseLayers, 0, Layers);
        RequireBetween(path, "moe_intermediate_size", MoeIntermediateSize, 1, 1 << 20);
        RequireBetween(path, "n_routed_experts", RoutedExperts, 1, 1 << 12);
        RequireBetween(path, "n_shared_experts", SharedExperts, 1, 1 << 8);
        RequireBetween(path, "n_group", ExpertGroups, 1, RoutedExperts / 2);
        RequireBetween(path, "topk_group", ChosenExpertGroups, 1, ExpertGroups);
        Require(path, "n_routed_experts", RoutedExperts % ExpertGroups == 0, $"{Counted.Of(RoutedExperts, "expert")} cannot be divided into {Counted.Of(ExpertGroups, "group")}");
        RequireBetween(path, "num_experts_per_tok", ExpertsPerToken, 1, RoutedExperts / ExpertGroups * ChosenExpertGroups);
        Require(path, "hidden_act", Activation == "silu", $"'{Activation}' is not supported, only 'silu'");
        Require(path, "scoring_func", ScoringFunction == "sigmoid", $"'{ScoringFunction}' is not supported, only 'sigmoid'");
        Require(path, "topk_method", TopKMethod == "noaux_tc", $"'{TopKMethod}' is not supported, only 'noaux_tc'");
        Require(path, "moe_layer_freq", MoeLayerFrequency == 1, $"{MoeLayerFrequency} is not supported, only 1");
        Require(path, "rms_norm_eps", RmsNormEpsilon is > 0 and < 1, $"{RmsNormEpsilon} is not a small positive number");
    }

    private static void RequireBetween(string path, string key, int value, int least, int most) =>
        Require(path, key, value >= least && value <= most, $"{value} is not between {least} and {most}");

    private static void Require(string path, string key, bool holds, string problem)
    {
        if (!holds)
        {
            throw new InvalidDataException($"{path}: {key}: {problem}");
        }
    }
}
