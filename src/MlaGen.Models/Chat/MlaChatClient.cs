using System.Runtime.CompilerServices;
using Microsoft.Extensions.AI;

namespace MlaGen.Models;

/// <summary>A model behind the interface that .NET programs talk to models through.</summary>
/// <remarks>
/// <para>Thread-safe: conversations run beside each other in one generator, each as if it were alone.</para>
/// <para>Of <see cref="ChatOptions"/> it heeds the limit of tokens, temperature, top p, top k, seed and stop texts; <c>min_p</c> and
/// <c>repetition_penalty</c> are read from <see cref="ChatOptions.AdditionalProperties"/>. Without a seed a random one is taken.</para>
/// </remarks>
public sealed class MlaChatClient : IChatClient
{
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

        return updates.ToChatResponse();
    }

    /// <summary>Answers a conversation, piece by piece. The last update has the reason for the end and what was used.</summary>
    /// <param name="messages">The conversation.</param>
    /// <param name="options">What is wanted.</param>
    /// <param name="cancellationToken">Ends the answer; so does giving up the enumeration.</param>
    /// <exception cref="ArgumentException">The conversation is too long, the template has no place for a message, or an option cannot be.</exception>
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
        await foreach (GeneratedToken token in _generator.GenerateAsync(prompt, wanted, cancellationToken).ConfigureAwait(false))
        {
            told++;
            ChatFinishReason? finish = token.Finish switch
            {
                FinishReason.None => null,
                FinishReason.Length => ChatFinishReason.Length,
                _ => ChatFinishReason.Stop,
            };
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
            };
        }
    }

    /// <inheritdoc/>
    public object? GetService(Type serviceType, object? serviceKey = null)
    {
        ArgumentNullException.ThrowIfNull(serviceType);
        return serviceKey is not null ? null
            : serviceType == typeof(ChatClientMetadata) ? _metadata
            : serviceType.IsInstanceOfType(this) ? this
            : serviceType.IsInstanceOfType(_generator) ? _generator
            : serviceType.IsInstanceOfType(_generator.Model) ? _generator.Model
            : null;
    }

    /// <summary>Does nothing: the generator is the caller's.</summary>
    public void Dispose()
    {
    }

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
            StopTexts = options?.StopSequences is { } stops ? [.. stops] : [],
            Sampling = sampling with
            {
                Temperature = options?.Temperature ?? sampling.Temperature,
                TopP = options?.TopP ?? sampling.TopP,
                TopK = options?.TopK ?? sampling.TopK,
                MinP = Additional(options, "min_p", sampling.MinP),
                RepetitionPenalty = Additional(options, "repetition_penalty", sampling.RepetitionPenalty),
                Seed = options?.Seed is { } seed ? unchecked((int)(seed ^ (seed >> 32))) : Random.Shared.Next(),
            },
        };
    }

    private static double Additional(ChatOptions? options, string key, double absent)
    {
        object? value = null;
        return options?.AdditionalProperties?.TryGetValue(key, out value) == true && value is not null
            ? value switch
            {
                double number => number,
                float number => number,
                int number => number,
                decimal number => (double)number,
                System.Text.Json.JsonElement { ValueKind: System.Text.Json.JsonValueKind.Number } number => number.GetDouble(),
                _ => throw new ArgumentException($"{key}: expected a number, found {value.GetType().Name}.", nameof(options)),
            }
            : absent;
    }
}
