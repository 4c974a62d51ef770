using System.Text.RegularExpressions;
using MlaGen.Runtime;

namespace MlaGen.Models;

/// <summary>The sparse indexer that <c>config.json</c> asks for.</summary>
internal sealed partial class IndexerConfig
{
    private const char Full = 'F';
    private const char Shared = 'S';

    private readonly IndexerRules _rules;
    private readonly int _heads;
    private readonly int _headDim;
    private readonly RopeLayout _layout;
    private readonly string _pattern;

    private IndexerConfig(ConfigSection config, IndexerRules rules, int layers, bool isRotated)
    {
        const int Most = 1 << 16;
        _rules = rules;
        TopK = config.Integer("index_topk", 1, int.MaxValue);
        _heads = config.Integer("index_n_heads", 1, Most);
        _headDim = config.Integer("index_head_dim", 1, Most);
        bool isInterleaved = config.Flag("indexer_rope_interleave", rules.RopeLayout == RopeLayout.Interleaved);
        _layout = !isRotated ? RopeLayout.None : isInterleaved ? RopeLayout.Interleaved : RopeLayout.HalfSplit;
        _pattern = ReadPattern(config, rules, layers);
    }

    /// <summary>Keys that a query attends to at most.</summary>
    public int TopK { get; }

    /// <summary>Reads the indexer; none where the family or the file has none.</summary>
    /// <param name="model">The file.</param>
    /// <param name="isRotated">Whether the layer has a rotary part.</param>
    /// <exception cref="ModelConfigException">A number of it cannot be.</exception>
    public static IndexerConfig? Read(ModelConfig model, bool isRotated) => model.Family.Indexer is { } rules && model.Text.Has("index_topk")
        ? new IndexerConfig(model.Text, rules, model.Family.AttentionLayers, isRotated)
        : null;

    /// <summary>Weights of the indexer of a layer; none where it has none of its own.</summary>
    public long Weights(int layer, MlaShape shape) => _pattern[layer] == Full
        ? ((long)_heads * _headDim * shape.QLoraRank) + ((long)shape.HiddenSize * (_headDim + _heads)) + (2 * _headDim)
        : 0;

    /// <summary>What differs from a class, as <see cref="AttentionFit.Differences"/> tells it.</summary>
    public void Compare(IndexerDefinition found, Action<string, double, double> numbers, Action<string, string, string> words)
    {
        numbers("index_topk", TopK, found.TopK);
        numbers("index_n_heads", _heads, found.Heads);
        numbers("index_head_dim", _headDim, found.HeadDim);
        numbers("index_kpool", 0, found.PoolTokens);
        numbers("the epsilon of the index key's norm", _rules.NormEpsilon, found.NormEpsilon);
        words("the pairing of the index key's rotary part", $"{_layout}", $"{found.RopeLayout}");
        words("the place of the index key's rotary part", Place(_rules.RotatesLast), Place(found.RotatesLast));

        // A class whose layers all have an indexer says nothing of them.
        words("the pattern of layers with an indexer", _pattern, found.Pattern.Length == 0 ? new string(Full, _pattern.Length) : found.Pattern);
    }

    private static string Place(bool isLast) => isLast ? "last" : "first";

    /// <summary>Which layers have an indexer, as transformers finds it: listed one by one, as a pattern, or every so many.</summary>
    private static string ReadPattern(ConfigSection config, IndexerRules rules, int layers)
    {
        string pattern = Listed(config, "indexer_types", layers, "full", "shared") ?? Listed(config, "index_topk_pattern", layers, "F", "S") ?? Periodic(config, rules, layers);
        return pattern[0] == Full ? pattern : throw config.Wrong("the layers with an indexer", "the first among them", pattern);
    }

    private static string? Listed(ConfigSection config, string key, int layers, string full, string shared)
    {
        if (!config.IsText(key))
        {
            return config.Words(key, layers, full, shared) is { } words ? string.Concat(words.Select(word => word == full ? Full : Shared)) : null;
        }

        string text = config.Text(key)!;
        return text.Length == layers && Letters().IsMatch(text) ? text : throw config.Wrong(key, FormattableString.Invariant($"{layers} of F or S"), Unprintable.Escape(text, 60));
    }

    private static string Periodic(ConfigSection config, IndexerRules rules, int layers)
    {
        int frequency = config.Integer("index_topk_freq", 1, int.MaxValue, rules.Frequency);
        int offset = config.Integer("index_skip_topk_offset", 0, int.MaxValue, 2);
        return string.Concat(Enumerable.Range(0, layers).Select(layer => Math.Max(layer - (long)offset + 1, 0) % frequency == 0 ? Full : Shared));
    }

    [GeneratedRegex("^[FS]+$")]
    private static partial Regex Letters();
}
