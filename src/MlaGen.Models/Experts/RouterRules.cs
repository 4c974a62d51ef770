namespace MlaGen.Models;

/// <summary>How gate outputs become scores.</summary>
internal enum ExpertScores
{
    Softmax,
    Sigmoid,
}

/// <summary>What a group of experts counts for when groups are chosen.</summary>
internal enum GroupScore
{
    /// <summary>Groups play no part.</summary>
    None,

    /// <summary>Its best expert.</summary>
    Best,

    /// <summary>The sum of its two best.</summary>
    TwoBest,
}

/// <summary>How a family chooses experts and weighs them.</summary>
/// <param name="Scores">Scores of the gate's outputs.</param>
/// <param name="Groups">How groups are chosen.</param>
/// <param name="Dropped">Score for the choice of experts in groups that were not chosen.</param>
/// <param name="HasBias">Whether <c>e_score_correction_bias</c> is added for the choice, never for the weights.</param>
/// <param name="MayNormalize">Whether <c>norm_topk_prob</c> is heeded.</param>
internal sealed record RouterRules(ExpertScores Scores, GroupScore Groups, float Dropped, bool HasBias, bool MayNormalize)
{
    /// <summary>DeepSeek-V3's <c>noaux_tc</c>, of all that descend from it.</summary>
    public static RouterRules DeepSeekV3 { get; } = new(ExpertScores.Sigmoid, GroupScore.TwoBest, float.NegativeInfinity, HasBias: true, MayNormalize: true);
}
