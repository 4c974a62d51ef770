using Microsoft.Extensions.AI;
using MlaGen.Models;

namespace Chat.Serving;

/// <summary>What a request comes to, once it has been found to make sense.</summary>
/// <param name="Messages">What the engine is given.</param>
/// <param name="Options">How it is to answer.</param>
/// <param name="Streams">Whether the answer is sent as it comes.</param>
/// <param name="TellsUsage">Whether a stream ends with the number of tokens.</param>
/// <param name="Echo">Text that the answer begins with.</param>
internal sealed record Generation(IReadOnlyList<ChatMessage> Messages, ChatOptions Options, bool Streams, bool TellsUsage, string Echo = "");

/// <summary>Some of an answer.</summary>
internal sealed record GeneratedPart(string Text, string? FinishReason, IReadOnlyList<ChatTokenLogProb>? Likelihoods);
