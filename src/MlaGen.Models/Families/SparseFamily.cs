namespace MlaGen.Models;

/// <summary>Families with a mixture of experts in all layers but the first.</summary>
internal abstract class SparseFamily : DecoderFamily
{
    private readonly RouterRules _rules;
    private readonly ExpertSettings? _experts;
    private readonly int _denseLayers;
    private readonly string[]? _kinds;

    protected SparseFamily(ModelConfig model, RouterRules rules, ExpertDefaults defaults)
        : base(model)
    {
        _rules = rules;
        _kinds = Config.Words("mlp_layer_types", Layers, "dense", "sparse");
        _denseLayers = Config.Integer("first_k_dense_replace", 0, ModelConfig.MostLayers, defaults.DenseLayers);
        if (Enumerable.Range(0, Layers).Any(layer => !IsSparse(layer)))
        {
            _ = Width("intermediate_size");
        }

        if (Enumerable.Range(0, Layers).Any(IsSparse))
        {
            _experts = ExpertSettings.Read(Config, rules, defaults);
        }
    }

    /// <summary>What the gate's matrix of an expert is called outside the routed ones.</summary>
    protected virtual string GateName => "gate_proj";

    /// <summary>Clamps what experts multiply; infinity for no limit.</summary>
    protected virtual float Limit => float.PositiveInfinity;

    protected bool IsSparse(int layer) => _kinds is null ? layer >= _denseLayers : _kinds[layer] == "sparse";

    protected override IFeedForward LoadFeedForward(WeightSource weights, int layer) =>
        IsSparse(layer) ? LoadExperts(weights) : weights.Mlp(Hidden, Width("intermediate_size"), GateName, Limit, HasMlpBias);

    /// <summary>Loads the experts of a layer of which <see cref="IsSparse"/> is true.</summary>
    protected virtual IFeedForward LoadExperts(WeightSource weights) => new MixtureOfExperts(
        weights.Exact("gate", Hidden, _experts!.Routed),
        new ExpertRouter(_rules, _rules.HasBias ? weights.Floats("gate.e_score_correction_bias", _experts.Routed) : [], _experts),
        weights.At("experts.").Experts(_experts, Hidden, Limit),
        _experts.SharedWidth == 0 ? null : weights.At("shared_experts.").Mlp(Hidden, _experts.SharedWidth, GateName, Limit, HasMlpBias));
}
