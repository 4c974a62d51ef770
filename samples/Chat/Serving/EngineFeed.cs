using System.Diagnostics;
using Chat.Engine;
using Chat.Serving.Wire;
using Microsoft.Extensions.AI;
using MlaGen.Models;

namespace Chat.Serving;

/// <summary>An answer of the engine as it comes, with its usage once it is complete.</summary>
internal sealed class EngineFeed(IChatClient engine, Generation generation, ServerMetrics metrics, long start, CancellationToken cancellation) : IAsyncDisposable
{
    private readonly IAsyncEnumerator<ChatResponseUpdate> _updates =
        engine.GetStreamingResponseAsync(generation.Messages, generation.Options, cancellation).GetAsyncEnumerator(cancellation);

    private bool _hasBegun;

    /// <summary>Tokens so far; zeros until the engine tells.</summary>
    public Usage Usage { get; private set; } = new(0, 0, 0);

    /// <summary>The next part that is not empty, or <see langword="null"/> at the end.</summary>
    /// <exception cref="ApiException">The engine does not take what was asked of it.</exception>
    public async Task<GeneratedPart?> NextAsync()
    {
        while (await MoveNextAsync())
        {
            ChatResponseUpdate update = _updates.Current;
            foreach (UsageContent usage in update.Contents.OfType<UsageContent>())
            {
                (long prompt, long answer) = (usage.Details.InputTokenCount ?? 0, usage.Details.OutputTokenCount ?? 0);
                Usage = new Usage(prompt, answer, prompt + answer);
                metrics.Tokens(prompt, answer);
            }

            IReadOnlyList<ChatTokenLogProb>? likelihoods = MlaChatClient.LogProbsOf(update.AdditionalProperties);
            if (update.Text.Length > 0 || update.FinishReason is not null || likelihoods is not null)
            {
                return new GeneratedPart(update.Text, update.FinishReason?.Value, likelihoods);
            }
        }

        return null;
    }

    public ValueTask DisposeAsync() => _updates.DisposeAsync();

    private async Task<bool> MoveNextAsync()
    {
        try
        {
            bool more = await _updates.MoveNextAsync();
            if (!_hasBegun)
            {
                _hasBegun = true;
                metrics.FirstToken(start);
            }

            return more;
        }
        catch (GeneratorBusyException)
        {
            throw ApiException.Busy();
        }
        catch (Exception problem) when (!_hasBegun && problem is ArgumentException or NotSupportedException or ChatTemplateException)
        {
            // What an engine refuses, a prompt longer than the model's context or what its template does not take, it refuses before its first token.
            throw new ApiException(StatusCodes.Status400BadRequest, "invalid_request_error", problem.Message, "not_accepted");
        }
    }
}
