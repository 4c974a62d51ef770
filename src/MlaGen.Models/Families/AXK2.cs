namespace MlaGen.Models;

/// <summary>A.X-K2 (transformers' <c>AXK2ForCausalLM</c>): DeepSeek-V3's experts behind norms that gate themselves.</summary>
internal sealed class AXK2 : SparseFamily
{
    private readonly int _rank;

    public AXK2(ModelConfig model)
        : base(model, RouterRules.DeepSeekV3 with { Groups = model.Text.Has("n_group") ? GroupScore.TwoBest : GroupScore.None, Dropped = 0 }, ExpertDefaults.DeepSeekV3 with { DenseLayers = 1, ChosenGroups = null }) =>
        _rank = Config.Integer("gated_norm_rank", 1, 1 << 16, 16);

    public override RopeLayout RopeLayout => RopeLayout.Interleaved;

    public override OutputGate OutputGate => OutputGate.Query;

    public override IndexerRules Indexer { get; } = new(RopeLayout.HalfSplit);

    protected override INorm LoadNorm(WeightSource weights, string name, int layer)
    {
        if (name != "input_layernorm" && !IsSparse(layer))
        {
            return base.LoadNorm(weights, name, layer);
        }

        WeightSource gated = weights.At($"{name}.");
        return new GatedNorm(gated.Norm("norm", Hidden, Epsilon), gated.Exact("W_down", Hidden, _rank), gated.Exact("W_up", _rank, Hidden));
    }
}
