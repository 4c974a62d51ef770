namespace MlaGen.Models;

/// <summary>Mistral Small 4 (transformers' <c>Mistral4ForCausalLM</c>): softmax scores, groups by their two best, no bias.</summary>
internal sealed class Mistral4(ModelConfig model)
    : SparseFamily(model, new RouterRules(ExpertScores.Softmax, GroupScore.TwoBest, Dropped: 0, HasBias: false, MayNormalize: true));
