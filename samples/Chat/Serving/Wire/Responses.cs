using System.Text.Json.Serialization;

namespace Chat.Serving.Wire;

internal sealed record Usage(long PromptTokens, long CompletionTokens, long TotalTokens);

/// <summary>Answer of <c>/v1/chat/completions</c>, whole or a part of a stream.</summary>
internal sealed record ChatCompletion(string Id, string Object, long Created, string Model, IReadOnlyList<ChatChoice> Choices, Usage? Usage);

/// <summary>The whole message, or what a stream adds to it.</summary>
internal sealed record ChatChoice(
    int Index,
    ResponseMessage? Message,
    ResponseMessage? Delta,
    ChatLogprobs? Logprobs,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.Never)] string? FinishReason);

internal sealed record ResponseMessage(string? Role, string? Content);

internal sealed record ChatLogprobs(IReadOnlyList<ChatLogprob> Content);

internal sealed record ChatLogprob(string Token, double Logprob, IReadOnlyList<int> Bytes, IReadOnlyList<ChatLogprob>? TopLogprobs);

/// <summary>Answer of <c>/v1/completions</c>, whole or a part of a stream.</summary>
internal sealed record Completion(string Id, string Object, long Created, string Model, IReadOnlyList<CompletionChoice> Choices, Usage? Usage);

internal sealed record CompletionChoice(
    int Index,
    string Text,
    CompletionLogprobs? Logprobs,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.Never)] string? FinishReason);

internal sealed record CompletionLogprobs(
    IReadOnlyList<string> Tokens,
    IReadOnlyList<double> TokenLogprobs,
    IReadOnlyList<IReadOnlyDictionary<string, double>> TopLogprobs,
    IReadOnlyList<int> TextOffset);

internal sealed record ModelList(string Object, IReadOnlyList<ModelEntry> Data);

internal sealed record ModelEntry(string Id, string Object, long Created, string OwnedBy);
