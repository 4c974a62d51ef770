namespace MlaGen.Models;

/// <summary>Mistral Small 4 (transformers' <c>Mistral4ForCausalLM</c>): softmax scores, groups by their two best, no bias.</summary>
internal sealed class Mistral4(ModelConfig model)
    : SparseFamily(model, new RouterRules(ExpertScores.Softmax, GroupScore.TwoBest, Dropped: 0, HasBias: false, MayNormalize: true),
        new ExpertDefaults(DenseLayers: 0, Chosen: 4, Shared: 1, Groups: 1, ChosenGroups: 1, Scale: 1));
