namespace MlaGen.Models;

/// <summary>A token of an answer and the natural logarithm of its probability, before temperature and cuts.</summary>
/// <param name="Bytes">Its UTF-8, which may be a part of a character; of a special token, its name.</param>
/// <param name="LogProb">The logarithm.</param>
/// <param name="Likeliest">The most likely tokens in its place, best first.</param>
public sealed record ChatTokenLogProb(ReadOnlyMemory<byte> Bytes, double LogProb, IReadOnlyList<ChatTokenLogProb> Likeliest);
