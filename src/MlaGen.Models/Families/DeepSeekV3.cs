namespace MlaGen.Models;

/// <summary>
/// DeepSeek-V3 (transformers' <c>DeepseekV3ForCausalLM</c>), and those that are the same around the attention: Kimi-K2, Moonlight, GLM-4.7-Flash,
/// DeepSeek-V3.2, GLM-5.
/// </summary>
internal sealed class DeepSeekV3 : SparseFamily
{
    public DeepSeekV3(ModelConfig model)
        : base(model, RouterRules.DeepSeekV3, Defaults(model.ModelType))
    {
        Config.Word("scoring_func", "sigmoid", "sigmoid");
        Config.Word("topk_method", "noaux_tc", "noaux_tc");
    }

    public override IndexerRules? Indexer => Model.ModelType switch
    {
        "deepseek_v32" => new(RopeLayout.HalfSplit),
        "glm_moe_dsa" => new(RopeLayout.Interleaved),
        _ => null,
    };

    public override RopeLayout RopeLayout => Model.ModelType == "deepseek_v32" ? RopeLayout.Interleaved : base.RopeLayout;

    protected override double DefaultEpsilon => Model.ModelType is "glm4_moe_lite" or "glm_moe_dsa" ? 1e-5 : base.DefaultEpsilon;

    private static ExpertDefaults Defaults(string modelType) => modelType switch
    {
        "glm4_moe_lite" => new(DenseLayers: 1, Chosen: 4, Shared: 1, Groups: 1, ChosenGroups: 1, Scale: 1.8),
        "glm_moe_dsa" => ExpertDefaults.DeepSeekV3 with { Groups = 1, ChosenGroups = 1 },
        _ => ExpertDefaults.DeepSeekV3,
    };
}
