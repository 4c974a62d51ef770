using System.Collections.Immutable;
using MlaGen.Generator.Model;
using MlaGen.Runtime;

namespace MlaGen.Generator.Configs;

/// <summary>The keys of a configuration that attention depends on, each with the attribute's property: to name the one that was meant.</summary>
internal static class KnownKeys
{
    /// <summary>A letter missing, doubled, wrong, or two of them swapped.</summary>
    private const int MostEdits = 2;

    private static readonly ImmutableDictionary<string, string> _properties = new Dictionary<string, string>(StringComparer.Ordinal)
    {
        ["hidden_size"] = nameof(MlaSettings.HiddenSize),
        ["num_attention_heads"] = nameof(MlaSettings.Heads),
        ["q_lora_rank"] = nameof(MlaSettings.QLoraRank),
        ["kv_lora_rank"] = nameof(MlaSettings.KvLoraRank),
        ["qk_nope_head_dim"] = nameof(MlaSettings.QkNopeHeadDim),
        ["qk_rope_head_dim"] = nameof(MlaSettings.QkRopeHeadDim),
        ["v_head_dim"] = nameof(MlaSettings.VHeadDim),
        ["max_position_embeddings"] = nameof(MlaSettings.MaxPositionEmbeddings),
        ["attention_bias"] = nameof(MlaSettings.AttentionBias),
        [GateMapper.Switch] = nameof(MlaSettings.OutputGate),
        [GateMapper.Granularity] = nameof(MlaSettings.OutputGate),
        ["rope_theta"] = nameof(MlaSettings.RopeTheta),
        ["rope_interleave"] = nameof(MlaSettings.RopeLayout),
        ["rope_scaling"] = nameof(MlaSettings.RopeScaling),
        ["factor"] = nameof(MlaSettings.RopeFactor),
        ["original_max_position_embeddings"] = nameof(MlaSettings.OriginalMaxPositionEmbeddings),
        ["beta_fast"] = nameof(MlaSettings.BetaFast),
        ["beta_slow"] = nameof(MlaSettings.BetaSlow),
        ["mscale"] = nameof(MlaSettings.Mscale),
        ["mscale_all_dim"] = nameof(MlaSettings.MscaleAllDim),
        ["attention_factor"] = nameof(MlaSettings.AttentionFactor),
        ["short_factor"] = nameof(MlaSettings.ShortFactor),
        ["long_factor"] = nameof(MlaSettings.LongFactor),
    }.ToImmutableDictionary(StringComparer.Ordinal);

    /// <summary>The attribute's property for a key, or null.</summary>
    public static string? Property(string key) => _properties.TryGetValue(key, out string? property) ? property : null;

    /// <summary>The end of a sentence about a key that is not understood: the known one that it resembles, or nothing.</summary>
    public static string Hint(string key) => _properties.ContainsKey(key) || NearestName.Of(key, _properties.Keys, Edits(key)) is not { } nearest
        ? string.Empty
        : $"; it resembles '{nearest}'";

    /// <summary>Which of a file's keys is one that it lacks, misspelt; null when none looks like it.</summary>
    public static string? Misspelt(string missing, IEnumerable<string> keys)
        => NearestName.Of(missing, keys.Where(static key => !_properties.ContainsKey(key)), Edits(missing));

    /// <summary>The end of a sentence about missing keys: those of the file that resemble them.</summary>
    public static string HintAmong(IEnumerable<string> missing, IEnumerable<string> keys)
        => string.Concat(missing.Select(key => Misspelt(key, keys) is { } found ? $"; '{found}' resembles {key}" : string.Empty));

    // Two edits make anything of a short word.
    private static int Edits(string key) => Math.Min(MostEdits, key.Length / 4);
}
