using System.Globalization;
using MlaGen.Runtime;

namespace MlaGen.Models;

/// <summary>Compares what <c>config.json</c> says of the attention with what a class was generated for: in everything that the arithmetic depends on they must agree.</summary>
internal sealed class AttentionFit
{
    private const double Tolerance = 1e-6;

    private readonly MlaShape _shape;
    private readonly RotaryConfig _rotary;
    private readonly IndexerConfig? _indexer;
    private readonly DecoderFamily _family;
    private readonly bool _hasBias;

    /// <exception cref="ModelConfigException">A number of the attention cannot be.</exception>
    public AttentionFit(ModelConfig model)
    {
        const int Most = 1 << 16;
        ConfigSection config = model.Text;
        _family = model.Family;
        int heads = config.Integer("num_attention_heads", 1, Most);
        _shape = new MlaShape(
            model.HiddenSize,
            heads,
            config.Integer("q_lora_rank", 0, Most, 0),
            config.Integer("kv_lora_rank", 1, Most),
            config.Integer("qk_nope_head_dim", 1, Most),
            config.Integer("qk_rope_head_dim", 0, Most),
            config.Integer("v_head_dim", 1, Most, _family.DerivesVHeadDim ? Math.Max(1, model.HiddenSize / heads) : null),
            model.MaxPositions);
        _hasBias = config.Flag("attention_bias", false);
        _rotary = RotaryConfig.Read(model, _shape.QkRopeHeadDim, _family.ScalesScores);
        _indexer = IndexerConfig.Read(model, _shape.QkRopeHeadDim > 0);
    }

    /// <summary>Weights of the attention of a layer, biases left out.</summary>
    public long Weights(int layer)
    {
        long values = _shape.Heads * _shape.VHeadDim;
        long queries = _shape.Heads * _shape.QkHeadDim;
        long ofQueries = (_shape.QLoraRank, _family.OutputGate) switch
        {
            (0, _) => _shape.HiddenSize * queries,
            (_, OutputGate.Query) => _shape.QLoraRank * (_shape.HiddenSize + 1 + (2 * (queries + values))),
            _ => _shape.QLoraRank * (_shape.HiddenSize + 1 + queries),
        };
        long ofGates = _family.OutputGate switch
        {
            OutputGate.ElementWise => _shape.HiddenSize * values,
            OutputGate.HeadWise => (long)_shape.HiddenSize * _shape.Heads,
            _ => 0,
        };
        return ofQueries + ofGates
            + ((long)_shape.HiddenSize * _shape.CacheRowElements) + _shape.KvLoraRank
            + ((long)_shape.Heads * (_shape.QkNopeHeadDim + _shape.VHeadDim) * _shape.KvLoraRank)
            + (values * _shape.HiddenSize)
            + (_family.HasSinks ? _shape.Heads : 0)
            + (_indexer?.Weights(layer, _shape) ?? 0);
    }

    /// <summary>What differs, as <c>key is this, but the class has that</c>; nothing where the class fits.</summary>
    public IReadOnlyList<string> Differences(MlaDefinition definition)
    {
        List<string> differences = [];
        MlaShape shape = definition.Shape;
        Compare("hidden_size", _shape.HiddenSize, shape.HiddenSize);
        Compare("num_attention_heads", _shape.Heads, shape.Heads);
        Compare("q_lora_rank", _shape.QLoraRank, shape.QLoraRank);
        Compare("kv_lora_rank", _shape.KvLoraRank, shape.KvLoraRank);
        Compare("qk_nope_head_dim", _shape.QkNopeHeadDim, shape.QkNopeHeadDim);
        Compare("qk_rope_head_dim", _shape.QkRopeHeadDim, shape.QkRopeHeadDim);
        Compare("v_head_dim", _shape.VHeadDim, shape.VHeadDim);
        if (differences.Count > 0)
        {
            return differences;
        }

        Compare("the softmax scale", Math.Pow(_shape.QkHeadDim, -0.5) * _rotary.ScoreFactor, definition.SoftmaxScale);
        Compare("the factor on cosine and sine", _rotary.CosineFactor, definition.RopeAttentionFactor);
        Compare("llama_4_scaling_beta", _rotary.Llama4ScalingBeta, definition.Llama4ScalingBeta);
        Compare("the scale of the query latent", _family.QueryLatentScale(_shape), definition.QLatentScale);
        Compare("the scale of the key/value latent", _family.KeyLatentScale(_shape), definition.KvLatentScale);
        if (_shape.QkRopeHeadDim > 0 && definition.RopeLayout != _family.RopeLayout)
        {
            differences.Add($"pairs of the rotary part are {_family.RopeLayout}, but the class has {definition.RopeLayout}");
        }

        CompareWords("attention_bias", Answer(_hasBias), Answer(definition.HasBias));
        CompareWords("the gate on the output", $"{_family.OutputGate}", $"{definition.OutputGate}");
        CompareWords("whether heads have sinks", Answer(_family.HasSinks), Answer(definition.HasSinks));
        CompareIndexer();
        int pair = definition.InverseFrequencies.Length == _rotary.Frequencies.Length
            ? Enumerable.Range(0, _rotary.Frequencies.Length).FirstOrDefault(i => !Near(_rotary.Frequencies[i], definition.InverseFrequencies[i]), -1)
            : 0;
        if (pair >= 0)
        {
            string found = pair < definition.InverseFrequencies.Length ? Text(definition.InverseFrequencies[pair]) : "none";
            differences.Add($"rotary pair {pair} turns by {Text(_rotary.Frequencies[pair])} a position ({_rotary.Words}), but the class has {found}");
        }

        return differences;

        void CompareIndexer()
        {
            // Dense attention, which a class may have been made for, is the same as long as a query sees no more than is selected.
            if (definition.Indexer is null && shape.MaxPositionEmbeddings <= _indexer?.TopK)
            {
                return;
            }

            if (_indexer is not null && definition.Indexer is not null)
            {
                _indexer.Compare(definition.Indexer, Compare, CompareWords);
            }
            else
            {
                CompareWords("whether layers have a sparse indexer", Answer(_indexer is not null), Answer(definition.Indexer is not null));
            }
        }

        void CompareWords(string what, string expected, string found)
        {
            if (expected != found)
            {
                differences.Add($"{what} is {expected}, but the class has {found}");
            }
        }

        void Compare(string what, double expected, double found)
        {
            if (!Near(expected, found))
            {
                differences.Add($"{what} is {Text(expected)}, but the class has {Text(found)}");
            }
        }
    }

    private static bool Near(double expected, double found) => Math.Abs(expected - found) <= Tolerance * Math.Abs(expected);

    private static string Answer(bool isSo) => isSo ? "yes" : "no";

    private static string Text(double value) => value.ToString("G7", CultureInfo.InvariantCulture);
}
