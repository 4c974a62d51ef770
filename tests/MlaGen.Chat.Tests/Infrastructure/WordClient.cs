using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.AI;
using MlaGen.Models;

namespace MlaGen.Chat.Tests.Infrastructure;

/// <summary>An engine whose answers are words that follow from the conversation, the seed and the temperature, and from nothing else. A word is a token.</summary>
public sealed class WordClient : IChatClient
{
    /// <summary>Words of an answer that nothing ends.</summary>
    public const int Words = 40;

    private static readonly string[] _words = ["owl", "moon", "tower", "ключ", "海港", "🌙", "<b>bold</b>", "salt", "river", "\"quoted\"", "line\nbreak", "two words"];
    private int _active;
    private int _ended;
    private int _started;

    /// <summary>What comes before each word but the first; nothing by default.</summary>
    public Func<int, CancellationToken, Task> BeforeWord { get; set; } = static (_, _) => Task.CompletedTask;

    /// <summary>Answers that are being given.</summary>
    public int Active => Volatile.Read(ref _active);

    /// <summary>Answers that were begun.</summary>
    public int Started => Volatile.Read(ref _started);

    /// <summary>Answers that came to their end.</summary>
    public int Ended => Volatile.Read(ref _ended);

    /// <summary>What the last request asked for.</summary>
    public (IReadOnlyList<ChatMessage> Messages, ChatOptions Options)? Last { get; private set; }

    /// <summary>The answer that a request must have.</summary>
    public static string Answer(string conversation, long? seed = null, int words = Words) => string.Concat(Enumerable.Range(0, words).Select(i => Word(conversation, seed, i)));

    /// <summary>A conversation as one text, as answers depend on it.</summary>
    public static string Text(params IEnumerable<(string Role, string Text)> messages) => string.Join('\n', messages.Select(static message => $"{message.Role}: {message.Text}"));

    public async IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(
        IEnumerable<ChatMessage> messages, ChatOptions? options = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        ChatMessage[] all = [.. messages];
        Last = (all, options!);
        string conversation = Text(all.Select(static message => (message.Role.Value, message.Text)));
        if (conversation.Contains("too long", StringComparison.Ordinal))
        {
            throw new ArgumentException("Expected a prompt of 1 to 100 tokens; found 101.");
        }

        Interlocked.Increment(ref _started);
        Interlocked.Increment(ref _active);
        try
        {
            int most = Math.Min(options?.MaxOutputTokens ?? Words, Words);
            string text = "";
            bool stopped = false;
            int words = 0;
            for (; words < most && !stopped; words++)
            {
                if (words > 0)
                {
                    await BeforeWord(words, cancellationToken);
                }

                cancellationToken.ThrowIfCancellationRequested();
                if (conversation.Contains("fail now", StringComparison.Ordinal) && words == 3)
                {
                    throw new FormatException("a secret of the engine's");
                }

                string word = Word(conversation, options?.Seed, words);
                int stop = options?.StopSequences?.Select(sequence => (text + word).IndexOf(sequence, StringComparison.Ordinal)).Where(static at => at >= 0).DefaultIfEmpty(-1).Min() ?? -1;
                stopped = stop >= 0;
                string told = stopped ? (text + word)[Math.Min(text.Length, stop)..stop] : word;
                text += told;
                ChatResponseUpdate update = new(ChatRole.Assistant, told);
                if (options?.AdditionalProperties?.TryGetValue(MlaChatClient.LogProbs, out int likeliest) == true)
                {
                    IReadOnlyList<ChatTokenLogProb> list = [new(Encoding.UTF8.GetBytes(word), -0.5, [.. Enumerable.Range(0, likeliest).Select(i => new ChatTokenLogProb(Encoding.UTF8.GetBytes(_words[i]), -0.5 - i, []))])];
                    update.AdditionalProperties = new() { [MlaChatClient.LogProbs] = list };
                }

                yield return update;
            }

            yield return new ChatResponseUpdate(ChatRole.Assistant, [new UsageContent(new UsageDetails { InputTokenCount = conversation.Length, OutputTokenCount = words, TotalTokenCount = conversation.Length + words })])
            {
                FinishReason = !stopped && most < Words ? ChatFinishReason.Length : ChatFinishReason.Stop,
            };
            Interlocked.Increment(ref _ended);
        }
        finally
        {
            Interlocked.Decrement(ref _active);
        }
    }

    public Task<ChatResponse> GetResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default) =>
        GetStreamingResponseAsync(messages, options, cancellationToken).ToChatResponseAsync(cancellationToken);

    public object? GetService(Type serviceType, object? serviceKey = null) => null;

    public void Dispose()
    {
    }

    private static string Word(string conversation, long? seed, int index)
    {
        byte[] hash = SHA256.HashData(Encoding.UTF8.GetBytes(FormattableString.Invariant($"{conversation}/{seed}/{index}")));
        return " " + _words[hash[0] % _words.Length];
    }
}
