using System.Globalization;
using System.Text.Json;
using Chat.Serving.Wire;
using Microsoft.Extensions.AI;
using MlaGen.Models;

namespace Chat.Serving;

/// <summary>From a request's fields to what is asked of the engine. What would change the answer and is not done is refused; nothing is silently cut.</summary>
/// <param name="model">The model's name.</param>
/// <param name="mostTokens">Tokens that a request may ask for.</param>
internal sealed class RequestChecks(string model, int mostTokens)
{
    private const int MostStops = 16;
    private const int MostMessages = 4096;
    private const int MostLikeliest = 20;

    public Generation Check(ChatCompletionRequest request)
    {
        ChatOptions options = CommonOptions(request, request.MaxCompletionTokens ?? request.MaxTokens, request.MaxCompletionTokens is null ? "max_tokens" : "max_completion_tokens");
        Refuse(request.Tools, "tools");
        Refuse(request.Functions, "functions");
        if (request.ResponseFormat is { Type: not "text" })
        {
            throw ApiException.Invalid("response_format", "response_format: only {\"type\": \"text\"} is understood here.");
        }

        if (request.Logprobs == true)
        {
            options.AdditionalProperties![MlaChatClient.LogProbs] = InRange(request.TopLogprobs ?? 0, 0, MostLikeliest, "top_logprobs");
        }
        else if (request.TopLogprobs is not null)
        {
            throw ApiException.Invalid("top_logprobs", "top_logprobs needs logprobs: true.");
        }

        return new Generation(Messages(request.Messages), options, request.Stream == true, request.StreamOptions?.IncludeUsage == true);
    }

    public Generation Check(CompletionRequest request)
    {
        ChatOptions options = CommonOptions(request, request.MaxTokens, "max_tokens");
        if (request.Prompt is not [{ Length: > 0 } prompt])
        {
            throw ApiException.Invalid("prompt", $"prompt: expected one text that is not empty; found {(request.Prompt is { Count: > 1 } texts ? $"{texts.Count} texts" : "none")}.");
        }

        if (!string.IsNullOrEmpty(request.Suffix))
        {
            throw ApiException.Invalid("suffix", "suffix: texts are only gone on with here.");
        }

        One(request.BestOf, "best_of");
        if (request.Logprobs is { } likeliest)
        {
            options.AdditionalProperties![MlaChatClient.LogProbs] = InRange(likeliest, 0, MostLikeliest, "logprobs");
            if (request.Echo == true)
            {
                throw ApiException.Invalid("echo", "echo: the probabilities of a prompt's own tokens are not told; ask for one of echo and logprobs.");
            }
        }

        return new Generation([new ChatMessage(ChatRole.User, prompt)], options, request.Stream == true, request.StreamOptions?.IncludeUsage == true, request.Echo == true ? prompt : "");
    }

    private ChatOptions CommonOptions(CommonRequest request, int? tokens, string tokensName)
    {
        if (request.Model is { } name && name != model)
        {
            throw ApiException.UnknownModel(name);
        }

        One(request.N, "n");
        Zero(request.FrequencyPenalty, "frequency_penalty");
        Zero(request.PresencePenalty, "presence_penalty");
        if (request.LogitBias is { ValueKind: not (JsonValueKind.Null or JsonValueKind.Undefined) } bias && !(bias.ValueKind == JsonValueKind.Object && bias.GetPropertyCount() == 0))
        {
            throw ApiException.Invalid("logit_bias", "logit_bias is not understood here.");
        }

        ChatOptions options = new()
        {
            ModelId = model,
            Temperature = (float?)InRange(request.Temperature, 0, 2, "temperature"),
            TopP = (float?)InRange(request.TopP, 0, 1, "top_p"),
            TopK = request.TopK is { } topK ? InRange(topK, 1, int.MaxValue, "top_k") : null,
            Seed = request.Seed,
            MaxOutputTokens = InRange(tokens ?? mostTokens, 1, mostTokens, tokensName),
            StopSequences = Stops(request.Stop),
            AdditionalProperties = [],
        };
        Add(options, MlaChatClient.MinP, InRange(request.MinP, 0, 1, "min_p"));
        Add(options, MlaChatClient.RepetitionPenalty, InRange(request.RepetitionPenalty, 0.01, 100, "repetition_penalty"));
        return options;
    }

    private static List<ChatMessage> Messages(IReadOnlyList<RequestMessage?>? messages)
    {
        if (messages is not { Count: > 0 and <= MostMessages })
        {
            throw ApiException.Invalid("messages", $"messages: expected 1 to {MostMessages} messages; found {messages?.Count ?? 0}.");
        }

        return [.. messages.Select(static (message, i) => new ChatMessage(
            Role(message?.Role, i),
            message!.Content ?? throw ApiException.Invalid($"messages[{i}].content", $"messages[{i}].content: expected a text.")))];
    }

    private static ChatRole Role(string? role, int index) => role switch
    {
        "user" => ChatRole.User,
        "assistant" => ChatRole.Assistant,

        // The newer name of the same thing.
        "system" or "developer" => ChatRole.System,
        _ => throw ApiException.Invalid($"messages[{index}].role", $"messages[{index}].role: expected system, developer, user or assistant; found {(role is null ? "none" : $"'{role}'")}."),
    };

    private static List<string>? Stops(IReadOnlyList<string>? stops)
    {
        if (stops is null)
        {
            return null;
        }

        return stops.Count <= MostStops && stops.All(static stop => stop.Length > 0)
            ? [.. stops]
            : throw ApiException.Invalid("stop", $"stop: expected at most {MostStops} texts, none of them empty.");
    }

    private static void Refuse(JsonElement? list, string name)
    {
        if (list is { ValueKind: not (JsonValueKind.Null or JsonValueKind.Undefined) } given && !(given.ValueKind == JsonValueKind.Array && given.GetArrayLength() == 0))
        {
            throw ApiException.Invalid(name, $"{name}: the models here call none.");
        }
    }

    private static void One(int? count, string name)
    {
        if (count is not (null or 1))
        {
            throw ApiException.Invalid(name, string.Create(CultureInfo.InvariantCulture, $"{name}: one answer is given to a request; found {count}."));
        }
    }

    private static void Zero(double? penalty, string name)
    {
        if (penalty is not (null or 0))
        {
            throw ApiException.Invalid(name, string.Create(CultureInfo.InvariantCulture, $"{name} is not understood here, repetition_penalty is; found {penalty}."));
        }
    }

    private static void Add(ChatOptions options, string name, double? value)
    {
        if (value is { } given)
        {
            options.AdditionalProperties![name] = given;
        }
    }

    private static double? InRange(double? value, double least, double most, string name) => value is { } given ? InRange<double>(given, least, most, name) : null;

    private static T InRange<T>(T value, T least, T most, string name)
        where T : IComparable<T>, IFormattable => value.CompareTo(least) >= 0 && value.CompareTo(most) <= 0
            ? value
            : throw ApiException.Invalid(name, string.Create(CultureInfo.InvariantCulture, $"{name}: expected a number from {least} to {most}; found {value}."));
}
