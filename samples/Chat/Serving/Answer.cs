using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Chat.Serving.Wire;
using MlaGen.Models;

namespace Chat.Serving;

/// <summary>How an answer is written: whole, or as the events of a stream.</summary>
internal abstract class Answer(string model)
{
    protected string Model { get; } = model;

    protected string Id { get; } = Guid.NewGuid().ToString("N");

    protected long Created { get; } = DateTimeOffset.UtcNow.ToUnixTimeSeconds();

    /// <summary>The event that a stream begins with, if there is one.</summary>
    public abstract string? Beginning();

    /// <summary>An event of a stream.</summary>
    public abstract string Event(GeneratedPart part);

    /// <summary>The event that tells usage.</summary>
    public abstract string UsageEvent(Usage usage);

    /// <summary>The whole answer.</summary>
    public abstract string Whole(GeneratedPart all, Usage usage);

    protected static string Json<T>(T value, JsonTypeInfo<T> type) => JsonSerializer.Serialize(value, type);

    protected static string TextOf(ChatTokenLogProb token) => Encoding.UTF8.GetString(token.Bytes.Span);
}

/// <summary>Answers of <c>/v1/chat/completions</c>.</summary>
internal sealed class ChatAnswer(string model) : Answer(model)
{
    public override string Beginning() => Chunk([new ChatChoice(0, null, new ResponseMessage("assistant", ""), null, null)], null);

    public override string Event(GeneratedPart part) =>
        Chunk([new ChatChoice(0, null, new ResponseMessage(null, part.Text.Length > 0 ? part.Text : null), Logprobs(part), part.FinishReason)], null);

    public override string UsageEvent(Usage usage) => Chunk([], usage);

    public override string Whole(GeneratedPart all, Usage usage) =>
        Json("chat.completion", [new ChatChoice(0, new ResponseMessage("assistant", all.Text), null, Logprobs(all), all.FinishReason)], usage);

    private static ChatLogprobs? Logprobs(GeneratedPart part) => part.Likelihoods is { } tokens ? new ChatLogprobs([.. tokens.Select(static token => Logprob(token, isChosen: true))]) : null;

    private static ChatLogprob Logprob(ChatTokenLogProb token, bool isChosen) => new(
        TextOf(token),
        token.LogProb,
        [.. token.Bytes.ToArray().Select(static value => (int)value)],
        isChosen ? [.. token.Likeliest.Select(static other => Logprob(other, isChosen: false))] : null);

    private string Chunk(IReadOnlyList<ChatChoice> choices, Usage? usage) => Json("chat.completion.chunk", choices, usage);

    private string Json(string kind, IReadOnlyList<ChatChoice> choices, Usage? usage) =>
        Json(new ChatCompletion($"chatcmpl-{Id}", kind, Created, Model, choices, usage), WireJson.Default.ChatCompletion);
}

/// <summary>Answers of <c>/v1/completions</c>.</summary>
/// <param name="model">The model's name.</param>
/// <param name="echo">Text that answers begin with.</param>
internal sealed class CompletionAnswer(string model, string echo) : Answer(model)
{
    /// <summary>Characters that are told, to place the next token's.</summary>
    private int _offset;

    public override string? Beginning() => echo.Length > 0 ? Event(new GeneratedPart(echo, null, null)) : null;

    public override string Event(GeneratedPart part) => Json([new CompletionChoice(0, part.Text, Logprobs(part), part.FinishReason)], null);

    public override string UsageEvent(Usage usage) => Json([], usage);

    public override string Whole(GeneratedPart all, Usage usage) => Json([new CompletionChoice(0, echo + all.Text, Logprobs(all), all.FinishReason)], usage);

    private CompletionLogprobs? Logprobs(GeneratedPart part)
    {
        if (part.Likelihoods is not { } tokens)
        {
            return null;
        }

        string[] texts = [.. tokens.Select(TextOf)];
        int[] offsets = new int[texts.Length];
        for (int i = 0; i < texts.Length; i++)
        {
            offsets[i] = _offset;
            _offset += texts[i].Length;
        }

        return new CompletionLogprobs(texts, [.. tokens.Select(static token => token.LogProb)], [.. tokens.Select(Likeliest)], offsets);
    }

    /// <summary>By text; of two tokens that look alike, as halves of characters do, the likelier one.</summary>
    private static Dictionary<string, double> Likeliest(ChatTokenLogProb token)
    {
        Dictionary<string, double> likeliest = [];
        foreach (ChatTokenLogProb other in token.Likeliest)
        {
            likeliest.TryAdd(TextOf(other), other.LogProb);
        }

        return likeliest;
    }

    private string Json(IReadOnlyList<CompletionChoice> choices, Usage? usage) =>
        Json(new Completion($"cmpl-{Id}", "text_completion", Created, Model, choices, usage), WireJson.Default.Completion);
}
