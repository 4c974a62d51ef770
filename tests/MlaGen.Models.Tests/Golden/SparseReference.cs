using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace MlaGen.Models.Tests.Golden;

/// <summary>
/// A whole model with sparse attention in double precision, formula by formula, of which nothing but the order of equal scores can be chosen: with torch's it
/// gives the golden scores, and so with the documented one it gives what the library has to.
/// </summary>
internal sealed class SparseReference
{
    private const double LatentEpsilon = 1e-6;
    private const double IndexEpsilon = 1e-6;

    private readonly Dictionary<string, double[]> _weights = [];
    private readonly JsonElement _config;
    private readonly TieOrder _order;

    public SparseReference(string name, TieOrder order)
    {
        _config = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(TinyModels.PathOf(name), "config.json"))).RootElement;
        _order = order;
        foreach (string file in Directory.EnumerateFiles(TinyModels.PathOf(name), "model*.safetensors"))
        {
            using SafetensorsFile tensors = SafetensorsFile.Open(file);
            foreach (CheckpointTensor tensor in tensors.Tensors)
            {
                Assert.Equal(TensorType.BFloat16, tensor.Type);
                ushort[] bits = new ushort[tensor.Shape.Aggregate(1L, static (product, dimension) => product * dimension)];
                tensor.Read(0, MemoryMarshal.AsBytes(bits.AsSpan()));
                _weights.Add(tensor.Name, [.. bits.Select(static value => (double)BitConverter.UInt32BitsToSingle((uint)value << 16))]);
            }
        }
    }

    private bool IsGated => _config.TryGetProperty("gated_norm_rank", out _);

    private double Epsilon => _config.GetProperty("rms_norm_eps").GetDouble();

    /// <summary>The scores after each of some tokens, which are all there are.</summary>
    public double[][] Scores(ReadOnlySpan<int> tokens)
    {
        int hidden = Number("hidden_size");
        double[][] x = new double[tokens.Length][];
        for (int i = 0; i < tokens.Length; i++)
        {
            x[i] = _weights["model.embed_tokens.weight"][(tokens[i] * hidden)..((tokens[i] + 1) * hidden)];
        }

        int[][]? selected = null;
        for (int layer = 0; layer < Number("num_hidden_layers"); layer++)
        {
            string prefix = $"model.layers.{layer}.";
            bool isSparse = _weights.ContainsKey($"{prefix}mlp.gate.weight");
            x = Add(x, Attention(layer, [.. x.Select(row => Norm($"{prefix}input_layernorm", row, IsGated))], ref selected));
            x = Add(x, [.. x.Select(row => Norm($"{prefix}post_attention_layernorm", row, IsGated && isSparse)).Select(row => isSparse ? Mixture($"{prefix}mlp.", row) : Mlp($"{prefix}mlp.", row))]);
        }

        return [.. x.Select(row => Linear("lm_head", Norm("model.norm", row, isGated: false)))];
    }

    private static double[][] Add(double[][] x, double[][] y) => [.. x.Zip(y, static (a, b) => a.Zip(b, static (c, d) => c + d).ToArray())];

    private static double Sigmoid(double value) => 1 / (1 + Math.Exp(-value));

    private static double[] RootMeanSquareNorm(double[] row, double[] weight, double epsilon)
    {
        double factor = 1 / Math.Sqrt(row.Average(static value => value * value) + epsilon);
        return [.. row.Zip(weight, (value, w) => value * factor * w)];
    }

    private int Number(string key) => _config.GetProperty(key).GetInt32();

    private double[] Linear(string name, double[] row)
    {
        double[] weight = _weights[$"{name}.weight"];
        return [.. Enumerable.Range(0, weight.Length / row.Length).Select(output => TensorPrimitives.Dot(weight.AsSpan(output * row.Length, row.Length), row))];
    }

    private double[] Norm(string name, double[] row, bool isGated)
    {
        if (!isGated)
        {
            return RootMeanSquareNorm(row, _weights[$"{name}.weight"], Epsilon);
        }

        double[] y = RootMeanSquareNorm(row, _weights[$"{name}.norm.weight"], Epsilon);
        double[] down = [.. Linear($"{name}.W_down", y).Select(static value => value * Sigmoid(value))];
        return [.. y.Zip(Linear($"{name}.W_up", down), static (value, gate) => value * Sigmoid(gate))];
    }

    private double[] Mlp(string prefix, double[] row)
        => Linear($"{prefix}down_proj", [.. Linear($"{prefix}gate_proj", row).Zip(Linear($"{prefix}up_proj", row), static (gate, up) => gate * Sigmoid(gate) * up)]);

    private double[] Mixture(string prefix, double[] row)
    {
        Assert.True(_config.GetProperty("n_group") is { ValueKind: JsonValueKind.Null } || Number("n_group") == 1);
        double[] scores = [.. Linear($"{prefix}gate", row).Select(Sigmoid)];
        double[] bias = _weights[$"{prefix}gate.e_score_correction_bias"];
        int[] experts = [.. Enumerable.Range(0, scores.Length).OrderByDescending(expert => scores[expert] + bias[expert]).Take(Number("num_experts_per_tok"))];
        double factor = _config.GetProperty("routed_scaling_factor").GetDouble() / (experts.Sum(expert => scores[expert]) + 1e-20);
        double[] sum = Mlp($"{prefix}shared_experts.", row);
        foreach (int expert in experts)
        {
            TensorPrimitives.MultiplyAdd(Mlp($"{prefix}experts.{expert}.", row), factor * scores[expert], sum, sum);
        }

        return sum;
    }

    private double[][] Attention(int layer, double[][] x, ref int[][]? selected)
    {
        string prefix = $"model.layers.{layer}.self_attn.";
        int heads = Number("num_attention_heads");
        int nope = Number("qk_nope_head_dim");
        int rope = Number("qk_rope_head_dim");
        int value = Number("v_head_dim");
        int latent = Number("kv_lora_rank");
        bool hasIndexer = _weights.ContainsKey($"{prefix}indexer.wk.weight");
        double[][] queries = new double[x.Length][];
        double[][] latents = new double[x.Length][];
        double[][] keysAndValues = new double[x.Length][];
        double[][] rotary = new double[x.Length][];
        for (int i = 0; i < x.Length; i++)
        {
            double[] a = Linear($"{prefix}q_a_proj", x[i]);
            latents[i] = RootMeanSquareNorm(a, _weights[$"{prefix}q_a_layernorm.weight"], LatentEpsilon);
            queries[i] = Linear($"{prefix}q_b_proj", IsGated ? [.. latents[i], .. a] : latents[i]);
            double[] row = Linear($"{prefix}kv_a_proj_with_mqa", x[i]);
            keysAndValues[i] = Linear($"{prefix}kv_b_proj", RootMeanSquareNorm(row[..latent], _weights[$"{prefix}kv_a_layernorm.weight"], LatentEpsilon));
            Rotate(row.AsSpan(latent), i, isInterleaved: true);
            rotary[i] = row[latent..];
        }

        if (hasIndexer)
        {
            double[][] keys = [.. x.Select((row, i) => IndexKey(prefix, row, i))];
            selected = [.. x.Select((row, i) => Select(prefix, keys, row, latents[i], i))];
        }

        double[][] outputs = new double[x.Length][];
        for (int i = 0; i < x.Length; i++)
        {
            double[] attended = new double[heads * value];
            int width = queries[i].Length / heads;
            for (int head = 0; head < heads; head++)
            {
                Span<double> query = queries[i].AsSpan(head * width, width);
                Rotate(query.Slice(nope, rope), i, isInterleaved: true);
                double[] weights = new double[selected![i].Length];
                for (int key = 0; key < weights.Length; key++)
                {
                    int token = selected[i][key];
                    weights[key] = (TensorPrimitives.Dot(query[..nope], KeyAndValue(token, head)[..nope]) + TensorPrimitives.Dot<double>(query.Slice(nope, rope), rotary[token])) / Math.Sqrt(nope + rope);
                }

                TensorPrimitives.SoftMax(weights, weights);
                Span<double> sum = attended.AsSpan(head * value, value);
                for (int key = 0; key < weights.Length; key++)
                {
                    TensorPrimitives.MultiplyAdd(KeyAndValue(selected[i][key], head)[nope..], weights[key], sum, sum);
                }

                for (int d = 0; IsGated && d < value; d++)
                {
                    sum[d] *= Sigmoid(query[nope + rope + d]);
                }
            }

            outputs[i] = Linear($"{prefix}o_proj", attended);
        }

        return outputs;

        ReadOnlySpan<double> KeyAndValue(int token, int head) => keysAndValues[token].AsSpan(head * (nope + value), nope + value);
    }

    private double[] IndexKey(string prefix, double[] x, int position)
    {
        double[] key = Linear($"{prefix}indexer.wk", x);
        double mean = key.Average();
        double deviation = Math.Sqrt(key.Average(value => (value - mean) * (value - mean)) + IndexEpsilon);
        double[] weight = _weights[$"{prefix}indexer.k_norm.weight"];
        double[] bias = _weights[$"{prefix}indexer.k_norm.bias"];
        key = [.. key.Select((value, d) => ((value - mean) / deviation * weight[d]) + bias[d])];
        RotateIndex(key, position);
        return key;
    }

    private int[] Select(string prefix, double[][] keys, double[] x, double[] queryLatent, int position)
    {
        int width = Number("index_head_dim");
        double[][] queries = [.. Linear($"{prefix}indexer.wq_b", queryLatent).Chunk(width)];
        double[] weights = Linear($"{prefix}indexer.weights_proj", x);
        double[] scores = new double[keys.Length];
        Array.Fill(scores, double.NegativeInfinity);
        foreach (double[] query in queries)
        {
            RotateIndex(query, position);
        }

        for (int token = 0; token <= position; token++)
        {
            scores[token] = queries.Zip(weights, (query, weight) => weight / Math.Sqrt(queries.Length) * Math.Max(0, TensorPrimitives.Dot<double>(query, keys[token]) / Math.Sqrt(width))).Sum();
        }

        // What a query does not see may stand in front where it sees less than it may select.
        int count = Math.Min(Number("index_topk"), scores.Length);
        return count == scores.Length ? [.. Enumerable.Range(0, position + 1)] : [.. _order(scores, count).Where(token => token <= position)];
    }

    private void RotateIndex(double[] values, int position)
        => Rotate(values.AsSpan(0, Number("qk_rope_head_dim")), position, _config.GetProperty("model_type").GetString() == "glm_moe_dsa");

    private void Rotate(Span<double> part, int position, bool isInterleaved)
    {
        double theta = _config.GetProperty("rope_parameters").GetProperty("rope_theta").GetDouble();
        int half = part.Length / 2;
        for (int i = 0; i < half; i++)
        {
            (int a, int b) = isInterleaved ? (2 * i, (2 * i) + 1) : (i, i + half);
            (double sin, double cos) = Math.SinCos(position * Math.Pow(theta, -2.0 * i / part.Length));
            (part[a], part[b]) = ((part[a] * cos) - (part[b] * sin), (part[b] * cos) + (part[a] * sin));
        }
    }
}
