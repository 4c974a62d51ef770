namespace MlaGen.Models;

/// <summary>
/// DeepSeek-V3 (transformers' <c>DeepseekV3ForCausalLM</c>), and those that are the same around the attention: Kimi-K2, Moonlight, GLM-4.7-Flash,
/// DeepSeek-V3.2, GLM-5.
/// </summary>
internal sealed class DeepSeekV3 : SparseFamily
{
    public DeepSeekV3(ModelConfig model)
        : base(model, RouterRules.DeepSeekV3)
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
}
