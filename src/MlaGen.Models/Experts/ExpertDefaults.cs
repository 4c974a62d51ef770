namespace MlaGen.Models;

/// <summary>What a family takes for a key that <c>config.json</c> does not have: the defaults of transformers' class.</summary>
/// <param name="DenseLayers"><c>first_k_dense_replace</c>.</param>
/// <param name="Chosen"><c>num_experts_per_tok</c>; <see langword="null"/> where the key is needed.</param>
/// <param name="Shared"><c>n_shared_experts</c>.</param>
/// <param name="Groups"><c>n_group</c>; <see langword="null"/> where the key is needed.</param>
/// <param name="ChosenGroups"><c>topk_group</c>; <see langword="null"/> where the key is needed.</param>
/// <param name="Scale"><c>routed_scaling_factor</c>.</param>
internal sealed record ExpertDefaults(int DenseLayers, int? Chosen, int Shared, int? Groups, int? ChosenGroups, double Scale)
{
    /// <summary>DeepSeek-V3's.</summary>
    public static ExpertDefaults DeepSeekV3 { get; } = new(DenseLayers: 3, Chosen: 8, Shared: 1, Groups: 8, ChosenGroups: 4, Scale: 2.5);
}
