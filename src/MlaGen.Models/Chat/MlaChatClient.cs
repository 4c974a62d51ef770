using System.Runtime.CompilerServices;
using System.Text.Json;
using Microsoft.Extensions.AI;

namespace MlaGen.Models;

/// <summary>A model behind the interface that .NET programs talk to models through.</summary>
/// <remarks>
/// <para>Thread-safe: conversations run beside each other in one generator, each as if it were alone.</para>
/// <para>Of <see cref="ChatOptions"/> it heeds the limit of tokens, temperature, top p, top k, seed and stop texts; <see cref="MinP"/>,
/// <see cref="RepetitionPenalty"/> and <see cref="LogProbs"/> are read from <see cref="ChatOptions.AdditionalProperties"/>. Without a seed a random one is taken.</para>
/// </remarks>
public sealed class MlaChatClient : IChatClient
{
    /// <summary>The property for <see cref="SamplingOptions.MinP"/>.</summary>
    public const string MinP = "min_p";

    /// <summary>The property for <see cref="SamplingOptions.RepetitionPenalty"/>.</summary>
    public const string RepetitionPenalty = "repetition_penalty";

    /// <summary>The property for <see cref="GenerationOptions.LogProbs"/>; and of updates and responses, for what it tells: see <see cref="LogProbsOf"/>.</summary>
    public const string LogProbs = "logprobs";

    private readonly TextGenerator _generator;
    private readonly IChatTemplate _template;
    private readonly ITextTokenizer _tokenizer;
    private readonly ChatClientMetadata _metadata;

    /// <summary>Makes a client. The generator stays the caller's: it may serve others, and is not disposed with the client.</summary>
    /// <param name="generator">A generator with a tokenizer.</param>
    /// <param name="template">How a conversation becomes a text.</param>
    /// <param name="modelId">What the model is called in responses; <see langword="null"/> for its directory's name.</param>
    /// <exception cref="ArgumentException">The generator has no tokenizer.</exception>
    public MlaChatClient(TextGenerator generator, IChatTemplate template, string? modelId = null)
    {
        ArgumentNullException.ThrowIfNull(generator);
        ArgumentNullException.ThrowIfNull(template);
        _generator = generator;
        _template = template;
        _tokenizer = generator.Tokenizer ?? throw new ArgumentException("A chat needs a generator with a tokenizer.", nameof(generator));
        _metadata = new ChatClientMetadata("mlagen", defaultModelId: modelId ?? Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(generator.Model.Directory))));
    }

    /// <summary>Answers a conversation.</summary>
    /// <inheritdoc cref="GetStreamingResponseAsync"/>
    public async Task<ChatResponse> GetResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default)
    {
        List<ChatResponseUpdate> updates = [];
        await foreach (ChatResponseUpdate update in GetStreamingResponseAsync(messages, options, cancellationToken).ConfigureAwait(false))
        {
            updates.Add(update);
        }

        ChatResponse response = updates.ToChatResponse();
        if (Number(options, LogProbs) is not null)
        {
            response.AdditionalProperties ??= [];
            response.AdditionalProperties[LogProbs] = updates.SelectMany(static update => LogProbsOf(update.AdditionalProperties) ?? []).ToList();
        }

        return response;
    }

    /// <summary>Answers a conversation, piece by piece. The last update has the reason for the end and what was used.</summary>
    /// <param name="messages">The conversation.</param>
    /// <param name="options">What is wanted.</param>
    /// <param name="cancellationToken">Ends the answer; so does giving up the enumeration.</param>
    /// <exception cref="ArgumentException">The conversation is too long, or an option cannot be.</exception>
    /// <exception cref="ChatTemplateException">The template refuses the conversation, or asks for too much.</exception>
    /// <exception cref="NotSupportedException">The options ask for tools or for a format of the answer.</exception>
    /// <exception cref="GeneratorBusyException">Too many requests wait.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public async IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(
        IEnumerable<ChatMessage> messages, ChatOptions? options = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(messages);
        int[] prompt = [.. _tokenizer.Encode(_template.Render([.. messages]))];
        GenerationOptions wanted = Options(options);
        string id = Guid.NewGuid().ToString("N");
        int told = 0;
        List<ChatTokenLogProb>? logProbs = null;
        await foreach (GeneratedToken token in _generator.GenerateAsync(prompt, wanted, cancellationToken).ConfigureAwait(false))
        {
            told++;
            ChatFinishReason? finish = token.Finish switch
            {
                FinishReason.None => null,
                FinishReason.Length => ChatFinishReason.Length,
                _ => ChatFinishReason.Stop,
            };
            if (token.LogProb is { } logProb && !_tokenizer.IsSpecial(token.Token))
            {
                (logProbs ??= []).Add(Told(token.Token, logProb, [.. token.Likeliest.Select(likely => Told(likely.Token, likely.LogProb, []))]));
            }

            if (token.Text.Length == 0 && finish is null)
            {
                continue;
            }

            List<AIContent> contents = [new TextContent(token.Text)];
            if (finish is not null)
            {
                contents.Add(new UsageContent(new UsageDetails { InputTokenCount = prompt.Length, OutputTokenCount = told, TotalTokenCount = prompt.Length + (long)told }));
            }

            yield return new ChatResponseUpdate(ChatRole.Assistant, contents)
            {
                ResponseId = id,
                MessageId = id,
                ModelId = _metadata.DefaultModelId,
                CreatedAt = DateTimeOffset.UtcNow,
                FinishReason = finish,
                AdditionalProperties = logProbs is null ? null : new() { [LogProbs] = logProbs },
            };
            logProbs = null;
        }

        ChatTokenLogProb Told(int token, float logProb, IReadOnlyList<ChatTokenLogProb> likeliest) => new(_tokenizer.Bytes(token).ToArray(), logProb, likeliest);
    }

    /// <inheritdoc/>
    public object? GetService(Type serviceType, object? serviceKey = null)
    {
        ArgumentNullException.ThrowIfNull(serviceType);
        return serviceKey is not null ? null
            : serviceType == typeof(ChatClientMetadata) ? _metadata
            : serviceType.IsInstanceOfType(this) ? this
            : serviceType.IsInstanceOfType(_generator) ? _generator
            : serviceType.IsInstanceOfType(_template) ? _template
            : serviceType.IsInstanceOfType(_generator.Model) ? _generator.Model
            : null;
    }

    /// <summary>Does nothing: the generator is the caller's.</summary>
    public void Dispose()
    {
    }

    /// <summary>The probabilities of an update or a response: one for each token of the text. Those of an update may run ahead of its text, which waits for whole characters.</summary>
    /// <param name="properties">Its properties.</param>
    /// <returns>They, or <see langword="null"/> where there are none.</returns>
    public static IReadOnlyList<ChatTokenLogProb>? LogProbsOf(AdditionalPropertiesDictionary? properties) =>
        properties?.TryGetValue(LogProbs, out IReadOnlyList<ChatTokenLogProb>? told) == true ? told : null;

    private static GenerationOptions Options(ChatOptions? options)
    {
        if (options?.Tools is { Count: > 0 })
        {
            throw new NotSupportedException("Tools are not supported.");
        }

        if (options?.ResponseFormat is not (null or ChatResponseFormatText))
        {
            throw new NotSupportedException("A format of the answer other than text is not supported.");
        }

        GenerationOptions wanted = new();
        SamplingOptions sampling = new();
        return wanted with
        {
            MaxTokens = options?.MaxOutputTokens ?? wanted.MaxTokens,
            LogProbs = Whole(options, LogProbs),
            StopTexts = options?.StopSequences is { } stops ? [.. stops] : [],
            Sampling = sampling with
            {
                Temperature = options?.Temperature ?? sampling.Temperature,
                TopP = options?.TopP ?? sampling.TopP,
                TopK = options?.TopK ?? sampling.TopK,
                MinP = Number(options, MinP) ?? sampling.MinP,
                RepetitionPenalty = Number(options, RepetitionPenalty) ?? sampling.RepetitionPenalty,
                Seed = options?.Seed is { } seed ? unchecked((int)(seed ^ (seed >> 32))) : Random.Shared.Next(),
            },
        };
    }

    /// <summary>A property that is a whole number, or nothing.</summary>
    private static int? Whole(ChatOptions? options, string key) => Number(options, key) is not { } number ? null
        : number == (int)number ? (int)number
        : throw new ArgumentException(FormattableString.Invariant($"{key}: expected a whole number, found {number}."), nameof(options));

    /// <summary>A property that is a number, or nothing.</summary>
    private static double? Number(ChatOptions? options, string key)
    {
        object? value = null;
        return options?.AdditionalProperties?.TryGetValue(key, out value) == true
            ? value switch
            {
                null => null,
                double number => number,
                float number => number,
                int number => number,
                decimal number => (double)number,
                JsonElement { ValueKind: JsonValueKind.Number } number => number.GetDouble(),
                _ => throw new ArgumentException($"{key}: expected a number, found {value.GetType().Name}.", nameof(options)),
            }
            : null;
    }
}
