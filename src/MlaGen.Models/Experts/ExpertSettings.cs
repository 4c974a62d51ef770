namespace MlaGen.Models;

/// <summary>How many experts a layer has, and how many of them a token meets.</summary>
internal sealed record ExpertSettings
{
    public const int MostExperts = 1 << 14;

    /// <summary>Experts with weights.</summary>
    public required int Routed { get; init; }

    /// <summary>Experts that give back what they get.</summary>
    public int Identities { get; init; }

    /// <summary>All that a router chooses from.</summary>
    public int Candidates => Routed + Identities;

    /// <summary>Experts chosen for a token.</summary>
    public required int Chosen { get; init; }

    /// <summary>Groups of neighbouring experts.</summary>
    public int Groups { get; init; } = 1;

    /// <summary>Groups that experts are chosen from.</summary>
    public int ChosenGroups { get; init; } = 1;

    /// <summary>Width of an expert.</summary>
    public required int Width { get; init; }

    /// <summary>Width of what all tokens meet; 0 for nothing.</summary>
    public int SharedWidth { get; init; }

    /// <summary>Whether the weights of a token's experts are made to sum to one, where the family's rules heed it.</summary>
    public bool Normalize { get; init; }

    /// <summary>Factor on the weights.</summary>
    public required float Scale { get; init; }

    /// <summary>Reads the keys that all descendants of DeepSeek-V2 share.</summary>
    /// <exception cref="ModelConfigException">A number cannot be.</exception>
    public static ExpertSettings Read(ConfigSection config, RouterRules rules, ExpertDefaults defaults)
    {
        int routed = config.Integer("n_routed_experts", 1, MostExperts);
        int width = config.Integer("moe_intermediate_size", 1, 1 << 20);
        bool grouped = rules.Groups != GroupScore.None;

        // Two best are asked of every group.
        int groups = grouped ? config.Integer("n_group", 1, Math.Max(1, rules.Groups == GroupScore.TwoBest ? routed / 2 : routed), defaults.Groups) : 1;
        int chosenGroups = grouped ? config.Integer("topk_group", 1, groups, defaults.ChosenGroups) : 1;
        if (routed % groups != 0)
        {
            throw config.Wrong("n_group", FormattableString.Invariant($"a number that divides n_routed_experts, {routed}"), FormattableString.Invariant($"{groups}"));
        }

        config.Integer("moe_layer_freq", 1, 1, 1);
        return new ExpertSettings
        {
            Routed = routed,
            Chosen = config.Integer("num_experts_per_tok", 1, routed / groups * chosenGroups, defaults.Chosen),
            Groups = groups,
            ChosenGroups = chosenGroups,
            Width = width,
            SharedWidth = (config.IsNull("n_shared_experts") ? 0 : config.Integer("n_shared_experts", 0, 1 << 10, defaults.Shared)) * width,
            Normalize = config.Flag("norm_topk_prob", true),
            Scale = (float)config.Number("routed_scaling_factor", 0, 1e6, defaults.Scale),
        };
    }
}
