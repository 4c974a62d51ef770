using MlaGen.Tests.Golden;

namespace MlaGen.Tests.Attention;

/// <summary>Hidden states of a text, and the position of each.</summary>
/// <param name="Hidden"><c>[tokens, width]</c>.</param>
/// <param name="Positions"><c>[tokens]</c>.</param>
internal sealed record Prompt(float[] Hidden, int[] Positions)
{
    public int Tokens => Positions.Length;

    public int Width => Hidden.Length / Positions.Length;

    /// <summary>Counter-random hidden states at positions from <paramref name="start"/> on.</summary>
    public static Prompt Random(string name, int tokens, int width, int start = 0)
        => new(CounterRandom.Hidden($"{name}/hidden_states", tokens, width), [.. Enumerable.Range(start, tokens)]);

    public Prompt Slice(int start, int count) => new(Hidden[(start * Width)..((start + count) * Width)], Positions[start..(start + count)]);
}
