namespace MlaGen.Models;

/// <summary>Chooses the tokens of one text. What it chooses depends on the scores, the text so far and the seed alone.</summary>
/// <remarks>For one thread at a time.</remarks>
public sealed class Sampler
{
    private readonly SamplingOptions _options;
    private readonly Random _random;
    private readonly HashSet<int> _seen = [];
    private float[] _scores = [];
    private (double Likelihood, int Token)[] _candidates = [];

    /// <summary>Makes a sampler.</summary>
    /// <param name="options">How to choose.</param>
    /// <param name="draws">Random numbers that were drawn before, to go on after them.</param>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range, or <paramref name="draws"/> is negative.</exception>
    public Sampler(SamplingOptions options, int draws = 0)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentOutOfRangeException.ThrowIfNegative(draws);
        options.Validate();
        _options = options;
        _random = new Random(options.Seed);
        while (Draws < draws)
        {
            Draw();
        }
    }

    /// <summary>How it chooses.</summary>
    public SamplingOptions Options => _options;

    /// <summary>Random numbers drawn so far: with the options and the text, all that the next choice depends on.</summary>
    public int Draws { get; private set; }

    /// <summary>Takes tokens into the text that <see cref="SamplingOptions.RepetitionPenalty"/> looks at. <see cref="Choose"/> takes what it chooses by itself.</summary>
    /// <param name="tokens">Tokens of a prompt.</param>
    public void Accept(ReadOnlySpan<int> tokens)
    {
        if (_options.RepetitionPenalty != 1)
        {
            foreach (int token in tokens)
            {
                _seen.Add(token);
            }
        }
    }

    /// <summary>Chooses the next token.</summary>
    /// <param name="logits">A score for each token.</param>
    /// <exception cref="ArgumentException"><paramref name="logits"/> is empty.</exception>
    public int Choose(ReadOnlySpan<float> logits)
    {
        if (logits.IsEmpty)
        {
            throw new ArgumentException("There is no token to choose.", nameof(logits));
        }

        ReadOnlySpan<float> scores = Penalized(logits);
        int best = IndexOfMax(scores);
        int token = _options.Temperature == 0 || !float.IsFinite(scores[best]) ? best : Draw(scores, best);
        Accept([token]);
        return token;
    }

    private static int IndexOfMax(ReadOnlySpan<float> scores)
    {
        int best = 0;
        for (int token = 1; token < scores.Length; token++)
        {
            if (scores[token] > scores[best] || (float.IsNaN(scores[best]) && !float.IsNaN(scores[token])))
            {
                best = token;
            }
        }

        return best;
    }

    private ReadOnlySpan<float> Penalized(ReadOnlySpan<float> logits)
    {
        if (_seen.Count == 0)
        {
            return logits;
        }

        Array.Resize(ref _scores, logits.Length);
        logits.CopyTo(_scores);
        foreach (int token in _seen)
        {
            if (token < _scores.Length)
            {
                _scores[token] = (float)(_scores[token] > 0 ? _scores[token] / _options.RepetitionPenalty : _scores[token] * _options.RepetitionPenalty);
            }
        }

        return _scores;
    }

    private int Draw(ReadOnlySpan<float> scores, int best)
    {
        if (_candidates.Length < scores.Length)
        {
            _candidates = new (double, int)[scores.Length];
        }

        // The most likely token has likelihood 1.
        double total = 0;
        int count = 0;
        for (int token = 0; token < scores.Length; token++)
        {
            double likelihood = Math.Exp((scores[token] - (double)scores[best]) / _options.Temperature);
            if (likelihood > 0)
            {
                _candidates[count++] = (likelihood, token);
                total += likelihood;
            }
        }

        Span<(double Likelihood, int Token)> left = Cut(_candidates.AsSpan(0, count), total);
        total = 0;
        foreach ((double likelihood, _) in left)
        {
            total += likelihood;
        }

        // A number below the total falls into the share of one token, unless rounding leaves it just past the last one.
        double drawn = Draw() * total;
        foreach ((double likelihood, int token) in left)
        {
            drawn -= likelihood;
            if (drawn < 0)
            {
                return token;
            }
        }

        return best;
    }

    /// <summary>What top k, top p and min p leave; in order of tokens where they leave all.</summary>
    private Span<(double Likelihood, int Token)> Cut(Span<(double Likelihood, int Token)> candidates, double total)
    {
        if (_options.MinP == 0 && _options.TopP == 1 && (_options.TopK == 0 || _options.TopK >= candidates.Length))
        {
            return candidates;
        }

        candidates.Sort(static (left, right) => left.Likelihood != right.Likelihood ? right.Likelihood.CompareTo(left.Likelihood) : left.Token.CompareTo(right.Token));
        if (_options.TopK > 0 && _options.TopK < candidates.Length)
        {
            candidates = candidates[.._options.TopK];
            total = 0;
            foreach ((double likelihood, _) in candidates)
            {
                total += likelihood;
            }
        }

        int count = 0;
        for (double sum = 0; count < candidates.Length && (count == 0 || (sum < _options.TopP * total && candidates[count].Likelihood >= _options.MinP)); count++)
        {
            sum += candidates[count].Likelihood;
        }

        return candidates[..count];
    }

    private double Draw()
    {
        Draws++;
        return _random.NextDouble();
    }
}
