namespace MlaGen.Models;

/// <summary>DeepSeek-V2 and V2-Lite (transformers' <c>DeepseekV2ForCausalLM</c>): softmax scores that are scaled and never normalised.</summary>
internal sealed class DeepSeekV2(ModelConfig model) : SparseFamily(
    model, Rules(model.Text), new ExpertDefaults(DenseLayers: 0, Chosen: null, Shared: 2, Groups: null, ChosenGroups: null, Scale: 1))
{
    public override RopeLayout RopeLayout => RopeLayout.Interleaved;

    protected override bool MayHaveMlpBias => true;

    private static RouterRules Rules(ConfigSection config)
    {
        config.Word("scoring_func", "softmax", "softmax");
        bool greedy = config.Word("topk_method", "greedy", "greedy", "group_limited_greedy") == "greedy";
        return new RouterRules(ExpertScores.Softmax, greedy ? GroupScore.None : GroupScore.Best, Dropped: 0, HasBias: false, MayNormalize: false);
    }
}
