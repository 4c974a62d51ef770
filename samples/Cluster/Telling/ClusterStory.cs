using System.Runtime.InteropServices;
using MlaGen.Models;
using Storyteller.Text;

namespace Cluster.Telling;

/// <summary>A story that is being told over segments.</summary>
/// <param name="tokens">What it consists of so far.</param>
/// <param name="sampler">Chooses the next token.</param>
/// <param name="text">Where what is told appears.</param>
/// <param name="remaining">Tokens to be told at most.</param>
/// <param name="endToken">The token that ends it, or <see langword="null"/> to go on past that.</param>
internal sealed class ClusterStory(ReadOnlySpan<int> tokens, Sampler sampler, TextStream text, int remaining, int? endToken)
{
    private readonly List<int> _tokens = [.. tokens];

    public Sampler Sampler { get; } = sampler;

    public TextStream Text { get; } = text;

    public ReadOnlySpan<int> Tokens => CollectionsMarshal.AsSpan(_tokens);

    /// <summary>Its first tokens that segments have taken in; after a failure fewer than before.</summary>
    public int Cached { get; set; }

    /// <summary>Tokens still to be told; 0 once the story is at its end.</summary>
    public int Remaining { get; private set; } = remaining;

    /// <summary>Chooses the next token by the scores after all tokens so far.</summary>
    public void Continue(ReadOnlySpan<float> scores)
    {
        int token = Sampler.Choose(scores);
        _tokens.Add(token);
        if (token == endToken)
        {
            Remaining = 0;
        }
        else
        {
            Text.Write(token);
            Remaining--;
        }
    }
}
