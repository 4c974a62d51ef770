using System.Text.Json;
using System.Text.Json.Serialization;

namespace Chat.Serving.Wire;

/// <summary>What requests of both kinds may ask for. Fields that are not known are passed over.</summary>
internal abstract record CommonRequest
{
    public string? Model { get; init; }

    public bool? Stream { get; init; }

    public StreamOptions? StreamOptions { get; init; }

    public double? Temperature { get; init; }

    public double? TopP { get; init; }

    public int? TopK { get; init; }

    public double? MinP { get; init; }

    public double? RepetitionPenalty { get; init; }

    public double? FrequencyPenalty { get; init; }

    public double? PresencePenalty { get; init; }

    public long? Seed { get; init; }

    public int? MaxTokens { get; init; }

    public int? N { get; init; }

    public JsonElement? LogitBias { get; init; }

    [JsonConverter(typeof(TextsConverter))]
    public IReadOnlyList<string>? Stop { get; init; }
}

/// <summary>Body of <c>/v1/chat/completions</c>.</summary>
internal sealed record ChatCompletionRequest : CommonRequest
{
    public IReadOnlyList<RequestMessage?>? Messages { get; init; }

    public int? MaxCompletionTokens { get; init; }

    public bool? Logprobs { get; init; }

    public int? TopLogprobs { get; init; }

    public JsonElement? Tools { get; init; }

    public JsonElement? Functions { get; init; }

    public ResponseFormat? ResponseFormat { get; init; }
}

/// <summary>Body of <c>/v1/completions</c>.</summary>
internal sealed record CompletionRequest : CommonRequest
{
    [JsonConverter(typeof(TextsConverter))]
    public IReadOnlyList<string>? Prompt { get; init; }

    public string? Suffix { get; init; }

    public bool? Echo { get; init; }

    public int? BestOf { get; init; }

    public int? Logprobs { get; init; }
}

internal sealed record StreamOptions(bool? IncludeUsage);

internal sealed record ResponseFormat(string? Type);

internal sealed record RequestMessage(string? Role, [property: JsonConverter(typeof(ContentConverter))] string? Content);
