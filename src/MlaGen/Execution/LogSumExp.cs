namespace MlaGen;

/// <summary>
/// Combines attention over parts of the keys, from outputs that are normalised within a part and the natural logarithm of each part's
/// softmax denominator. Every part may lie in another cache, process or machine.
/// </summary>
public static class LogSumExp
{
    /// <summary>
    /// Adds a part to what is merged so far. A part without keys, marked by negative infinity, changes no bit; into such a part anything else
    /// is copied. Commutative and associative within rounding; for the same bits, merge in the same order.
    /// </summary>
    /// <param name="output">Outputs so far <c>[columns, width]</c>; updated.</param>
    /// <param name="logSumExp">Logarithms so far <c>[columns]</c>; updated.</param>
    /// <param name="partOutput">The part's outputs <c>[columns, width]</c>.</param>
    /// <param name="partLogSumExp">The part's logarithms <c>[columns]</c>.</param>
    /// <exception cref="ArgumentException">Lengths do not fit each other; nothing was changed.</exception>
    public static void Merge(Span<float> output, Span<float> logSumExp, ReadOnlySpan<float> partOutput, ReadOnlySpan<float> partLogSumExp)
    {
        if (logSumExp.Length != partLogSumExp.Length)
        {
            throw new ArgumentException(FormattableString.Invariant($"Both parts need as many columns: {logSumExp.Length} and {partLogSumExp.Length}."), nameof(partLogSumExp));
        }

        if (output.Length != partOutput.Length)
        {
            throw new ArgumentException(FormattableString.Invariant($"Both parts need outputs of one length: {output.Length} and {partOutput.Length}."), nameof(partOutput));
        }

        if (logSumExp.IsEmpty ? !output.IsEmpty : output.Length % logSumExp.Length != 0)
        {
            throw new ArgumentException(FormattableString.Invariant($"{Counted.Of(output.Length, "output")} cannot be divided into {Counted.Of(logSumExp.Length, "column")}."), nameof(output));
        }

        int width = logSumExp.IsEmpty ? 0 : output.Length / logSumExp.Length;
        for (int column = 0; column < logSumExp.Length; column++)
        {
            Span<float> sum = output.Slice(column * width, width);
            ReadOnlySpan<float> part = partOutput.Slice(column * width, width);
            float before = logSumExp[column];
            float added = partLogSumExp[column];
            if (float.IsNegativeInfinity(added))
            {
                continue;
            }

            if (float.IsNegativeInfinity(before))
            {
                part.CopyTo(sum);
                logSumExp[column] = added;
                continue;
            }

            // In double, and symmetric in the two parts: which one is merged into the other does not show.
            double greater = Math.Max(before, added);
            double keep = Math.Exp(before - greater);
            double take = Math.Exp(added - greater);
            double total = keep + take;
            float keepShare = (float)(keep / total);
            float takeShare = (float)(take / total);
            for (int i = 0; i < width; i++)
            {
                sum[i] = (sum[i] * keepShare) + (part[i] * takeShare);
            }

            logSumExp[column] = (float)(greater + Math.Log(total));
        }
    }
}
