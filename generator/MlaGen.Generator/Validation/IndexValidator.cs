using MlaGen.Generator.Diagnostics;
using MlaGen.Generator.Model;

namespace MlaGen.Generator.Validation;

/// <summary>What is wrong with the sparse indexer of a specification.</summary>
internal static class IndexValidator
{
    public static IEnumerable<Problem> Validate(MlaSpec spec, MlaSettings written)
        => spec.Indexer is { } indexer && !spec.AllowDense ? Problems(spec, indexer) : WithoutEffect(spec, written);

    /// <summary>Settings of an indexer that the class has not.</summary>
    private static IEnumerable<Problem> WithoutEffect(MlaSpec spec, MlaSettings written)
    {
        string because = spec.AllowDense ? "AllowDense is true, and attention is dense" : "IndexTopK is 0, and there is no indexer";
        (string Property, bool IsWritten)[] settings =
        [
            (nameof(MlaSettings.IndexTopK), written.IndexTopK is not (null or 0)),
            (nameof(MlaSettings.IndexHeads), written.IndexHeads is not (null or 0)),
            (nameof(MlaSettings.IndexHeadDim), written.IndexHeadDim is not null),
            (nameof(MlaSettings.IndexRopeLayout), written.IndexRopeLayout is not null),
            (nameof(MlaSettings.IndexRopeLast), written.IndexRopeLast is true),
            (nameof(MlaSettings.IndexNormEpsilon), written.IndexNormEpsilon is not null),
            (nameof(MlaSettings.IndexPoolTokens), written.IndexPoolTokens is not (null or 0)),
            (nameof(MlaSettings.IndexPattern), written.IndexPattern is not (null or "")),
        ];
        return settings.Where(static setting => setting.IsWritten).Select(setting => Problem.At(setting.Property, Rules.SettingWithoutEffect, setting.Property, because));
    }

    private static IEnumerable<Problem> Problems(MlaSpec spec, IndexerSpec indexer)
    {
        bool isInRange = true;
        foreach ((string property, int value, int most) in new[]
        {
            (nameof(MlaSettings.IndexTopK), indexer.TopK, Limits.Positions),
            (nameof(MlaSettings.IndexHeads), indexer.Heads, Limits.Heads),
            (nameof(MlaSettings.IndexHeadDim), indexer.HeadDim, Limits.HeadDim),
        })
        {
            if (value < 1)
            {
                isInRange = false;
                yield return Problem.At(property, Rules.DimensionTooSmall, property, SpecValidator.Text(value), "1");
            }
            else if (value > most)
            {
                isInRange = false;
                yield return Problem.At(property, Rules.DimensionTooLarge, property, SpecValidator.Text(value), SpecValidator.Text(most));
            }
        }

        Dimensions shape = spec.Dimensions;
        if (shape.QLoraRank == 0)
        {
            yield return Problem.At(nameof(MlaSettings.IndexTopK), Rules.UnusableNumber, "QLoraRank", "0", "at least 1 beside IndexTopK, since the indexer reads the query latent");
        }

        long elements = (long)indexer.Heads * indexer.HeadDim * shape.QLoraRank;
        if (isInRange && elements > Limits.ProjectionElements)
        {
            yield return Problem.At(nameof(MlaSettings.IndexHeads), Rules.DimensionTooLarge, "The number of elements of IndexerWqB with IndexHeads · IndexHeadDim · QLoraRank", SpecValidator.Text(elements), SpecValidator.Text(Limits.ProjectionElements));
        }

        if (indexer.RopeLayout is not (RopeLayout.Interleaved or RopeLayout.HalfSplit or RopeLayout.None))
        {
            yield return Problem.At(nameof(MlaSettings.IndexRopeLayout), Rules.UnusableNumber, nameof(MlaSettings.IndexRopeLayout), SpecValidator.Text((int)indexer.RopeLayout), "Interleaved, HalfSplit or None");
        }

        if (isInRange && indexer.RopeLayout != RopeLayout.None && spec.Rope.Layout != RopeLayout.None && indexer.HeadDim < shape.QkRopeHeadDim)
        {
            yield return Problem.At(nameof(MlaSettings.IndexHeadDim), Rules.DimensionTooSmall, nameof(MlaSettings.IndexHeadDim), SpecValidator.Text(indexer.HeadDim), $"{SpecValidator.Text(shape.QkRopeHeadDim)}, QkRopeHeadDim, since that many elements are rotated");
        }

        if (!((float)indexer.NormEpsilon > 0 && SpecValidator.IsFinite((float)indexer.NormEpsilon)))
        {
            yield return Problem.At(nameof(MlaSettings.IndexNormEpsilon), Rules.UnusableNumber, nameof(MlaSettings.IndexNormEpsilon), SpecValidator.Text(indexer.NormEpsilon), "a positive number within the range of float");
        }

        if (indexer.PoolTokens < 0 || indexer.PoolTokens > Limits.HeadDim || (isInRange && indexer.PoolTokens > indexer.TopK))
        {
            yield return Problem.At(nameof(MlaSettings.IndexPoolTokens), Rules.UnusableNumber, nameof(MlaSettings.IndexPoolTokens), SpecValidator.Text(indexer.PoolTokens), $"1 to IndexTopK, at most {SpecValidator.Text(Limits.HeadDim)}, or 0 for none");
        }

        if (indexer.IsShared && (indexer.Pattern[0] != IndexerSpec.Full || indexer.Pattern.Any(static layer => layer is not (IndexerSpec.Full or IndexerSpec.Shared))))
        {
            yield return Problem.At(nameof(MlaSettings.IndexPattern), Rules.UnusableNumber, nameof(MlaSettings.IndexPattern), $"\"{Unprintable.Escape(indexer.Pattern, 40)}\"", "letters F and S, one for each layer, F first");
        }
    }
}
