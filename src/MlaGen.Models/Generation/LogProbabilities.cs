using System.Collections.Immutable;

namespace MlaGen.Models;

/// <summary>Probabilities of tokens, as logarithms.</summary>
internal static class LogProbabilities
{
    /// <summary>Those of a token, and of the most likely ones.</summary>
    public static (float Chosen, ImmutableArray<TokenLogProb> Likeliest) Of(ReadOnlySpan<float> logits, int token, int count)
    {
        double most = double.NegativeInfinity;
        foreach (float logit in logits)
        {
            most = Math.Max(most, logit);
        }

        double sum = 0;
        foreach (float logit in logits)
        {
            sum += Math.Exp(logit - most);
        }

        double shift = most + Math.Log(sum);

        // Few of many: a heap whose top is the worst of the best.
        PriorityQueue<int, (float Logit, int Order)> best = new();
        for (int i = 0; i < logits.Length && count > 0; i++)
        {
            if (best.Count < count)
            {
                best.Enqueue(i, (logits[i], -i));
            }
            else
            {
                best.EnqueueDequeue(i, (logits[i], -i));
            }
        }

        TokenLogProb[] likeliest = new TokenLogProb[best.Count];
        for (int i = likeliest.Length - 1; i >= 0; i--)
        {
            int candidate = best.Dequeue();
            likeliest[i] = new TokenLogProb(candidate, (float)(logits[candidate] - shift));
        }

        return ((float)(logits[token] - shift), [.. likeliest]);
    }
}
