using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using MlaGen;
using Samples;

namespace Explorer.Models;

/// <summary>A checkpoint of DeepSeek-V2-Lite's shape with random weights, in bf16 and in shards, the same bytes in every run: where no other is at hand.</summary>
/// <param name="Layers">Layers; the model has 27.</param>
/// <param name="Experts">Routed experts of a layer; the model has 64.</param>
/// <param name="Vocabulary">Tokens; the model has 102,400.</param>
internal sealed record SyntheticModel(int Layers, int Experts, int Vocabulary)
{
    public const int ChosenExperts = 6;

    private const int SharedExperts = 2;
    private const int ExpertWidth = 1408;
    private const int DenseWidth = 10944;
    private const long ShardBytes = 4L << 30;
    private const int PieceBytes = 64 << 20;
    private const string ConfigFile = "config.json";
    private const string IndexFile = "model.safetensors.index.json";

    private static MlaShape Shape => DeepSeekV2Lite.Shape;

    /// <summary>Bytes of the checkpoint's tensors.</summary>
    public long Bytes => Tensors().Sum(static tensor => BytesOf(tensor.Shape));

    private string Config => FormattableString.Invariant(
        $$"""
        {
          "architectures": ["DeepseekV2ForCausalLM"], "model_type": "deepseek_v2", "hidden_act": "silu", "hidden_size": {{Shape.HiddenSize}}, "num_hidden_layers": {{Layers}}, "vocab_size": {{Vocabulary}},
          "num_attention_heads": {{Shape.Heads}}, "q_lora_rank": null, "kv_lora_rank": {{Shape.KvLoraRank}}, "qk_nope_head_dim": {{Shape.QkNopeHeadDim}}, "qk_rope_head_dim": {{Shape.QkRopeHeadDim}}, "v_head_dim": {{Shape.VHeadDim}},
          "attention_bias": false, "max_position_embeddings": {{Shape.MaxPositionEmbeddings}}, "rope_theta": 10000, "rms_norm_eps": 1e-06, "tie_word_embeddings": false,
          "rope_scaling": {"type": "yarn", "factor": 40, "original_max_position_embeddings": 4096, "beta_fast": 32, "beta_slow": 1, "mscale": 0.707, "mscale_all_dim": 0.707},
          "intermediate_size": {{DenseWidth}}, "moe_intermediate_size": {{ExpertWidth}}, "n_routed_experts": {{Experts}}, "n_shared_experts": {{SharedExperts}}, "num_experts_per_tok": {{ChosenExperts}},
          "first_k_dense_replace": 1, "moe_layer_freq": 1, "n_group": 1, "topk_group": 1, "topk_method": "greedy", "scoring_func": "softmax", "norm_topk_prob": false, "routed_scaling_factor": 1.0
        }
        """);

    /// <summary>Bytes of the weights that one decoded token needs: all of attention and routers as they are stored, of the embedding one row, of the routed experts those that are chosen.</summary>
    /// <param name="format">How the others are kept.</param>
    public long ActiveBytes(WeightFormat format)
    {
        double kept = format switch
        {
            WeightFormat.Int8Group32 => 8.5 / 8,
            WeightFormat.Int8Group64 => 8.25 / 8,
            WeightFormat.Int4Group32 => 4.5 / 8,
            WeightFormat.Int4Group64 => 4.25 / 8,
            _ => sizeof(ushort),
        };
        double bytes = 0;
        foreach ((string name, int[] shape) in Tensors())
        {
            double count = BytesOf(shape) / sizeof(ushort);
            bytes += name.Contains(".self_attn.", StringComparison.Ordinal) || name.EndsWith("mlp.gate.weight", StringComparison.Ordinal) || shape.Length == 1 ? count * sizeof(ushort)
                : name.Contains(".experts.", StringComparison.Ordinal) ? count * kept * ChosenExperts / Experts
                : name.Contains("embed_tokens", StringComparison.Ordinal) ? count * kept / Vocabulary
                : count * kept;
        }

        return (long)bytes;
    }

    /// <summary>Writes the checkpoint, shard by shard, unless it is there.</summary>
    /// <param name="directory">Where to; a new directory, an empty one, or one that has it already.</param>
    /// <param name="progress">Takes the part that is done.</param>
    /// <returns>Whether it was written.</returns>
    public bool Write(string directory, Action<double> progress)
    {
        string config = Path.Combine(directory, ConfigFile);
        if (File.Exists(config) && File.ReadAllText(config) == Config && File.Exists(Path.Combine(directory, IndexFile)))
        {
            return false;
        }

        if (Directory.Exists(directory) && Directory.EnumerateFileSystemEntries(directory).Any())
        {
            throw new UserException($"{directory} has something else in it; the model takes a directory of its own");
        }

        Directory.CreateDirectory(directory);
        Dictionary<string, string> places = [];
        long all = Bytes;
        long written = 0;
        List<(string Name, int[] Shape)> shard = [];
        int number = 0;
        foreach ((string Name, int[] Shape) tensor in Tensors())
        {
            shard.Add(tensor);
            if (shard.Sum(static tensor => BytesOf(tensor.Shape)) >= ShardBytes)
            {
                WriteShard();
            }
        }

        if (shard.Count > 0)
        {
            WriteShard();
        }

        File.WriteAllText(Path.Combine(directory, IndexFile), JsonSerializer.Serialize(new Dictionary<string, Dictionary<string, string>> { ["weight_map"] = places }, WeightMapJson.Default.DictionaryStringDictionaryStringString));
        File.WriteAllText(config, Config);
        return true;

        void WriteShard()
        {
            string file = FormattableString.Invariant($"model-{++number:00000}.safetensors");
            WriteShardFile(Path.Combine(directory, file), shard, number, bytes => progress((double)(written += bytes) / all));
            shard.ForEach(tensor => places.Add(tensor.Name, file));
            shard.Clear();
        }
    }

    /// <summary>Removes what <see cref="Write"/> has written, and what was kept beside it.</summary>
    public static void Remove(string directory) => Directory.Delete(directory, recursive: true);

    private static long BytesOf(int[] shape) => shape.Aggregate(1L, static (product, dimension) => product * dimension) * sizeof(ushort);

    private static void WriteShardFile(string path, List<(string Name, int[] Shape)> tensors, int seed, Action<long> progress)
    {
        StringBuilder header = new("{");
        long end = 0;
        foreach ((string name, int[] shape) in tensors)
        {
            header.Append(header.Length > 1 ? "," : "").Append(FormattableString.Invariant($"\"{name}\":{{\"dtype\":\"BF16\",\"shape\":[{string.Join(',', shape)}],\"data_offsets\":[{end},{end += BytesOf(shape)}]}}"));
        }

        byte[] json = Encoding.ASCII.GetBytes(header.Append('}').ToString());
        using FileStream file = new(path, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, BufferSize = 0, PreallocationSize = sizeof(long) + json.Length + end });
        file.Write(BitConverter.GetBytes((long)json.Length));
        file.Write(json);
        ushort[] values = Normal();
        byte[] piece = new byte[PieceBytes];
        ulong index = (ulong)seed << 40;
        foreach ((_, int[] shape) in tensors)
        {
            for (long left = BytesOf(shape); left > 0; left -= PieceBytes)
            {
                int bytes = (int)Math.Min(PieceBytes, left);
                if (shape.Length == 1)
                {
                    MemoryMarshal.Cast<byte, ushort>(piece.AsSpan(0, bytes)).Fill(0x3F80);
                }
                else
                {
                    Fill(piece, bytes, values, index);
                }

                file.Write(piece, 0, bytes);
                index += (ulong)bytes;
                progress(bytes);
            }
        }

        file.Flush(flushToDisk: true);
    }

    private static void Fill(byte[] piece, int bytes, ushort[] values, ulong first)
    {
        const int Part = 1 << 20;
        Parallel.For(0, (bytes + Part - 1) / Part, part =>
        {
            Span<ushort> target = MemoryMarshal.Cast<byte, ushort>(piece.AsSpan(part * Part, Math.Min(Part, bytes - (part * Part))));
            ulong index = first + (ulong)(part * Part);
            for (int i = 0; i < target.Length; i++)
            {
                // A step of splitmix64 for each four values.
                ulong bits = (index + (ulong)(i / 4)) * 0x9E3779B97F4A7C15;
                bits = (bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9;
                bits = (bits ^ (bits >> 27)) * 0x94D049BB133111EB;
                target[i] = values[(ushort)((bits ^ (bits >> 31)) >> (i % 4 * 16))];
            }
        });
    }

    /// <summary>Numbers of a normal distribution as wide as that of weights, in bf16.</summary>
    private static ushort[] Normal()
    {
        const double Deviation = 0.02;
        Random random = new(1);
        ushort[] values = new ushort[1 << 16];
        for (int i = 0; i < values.Length; i++)
        {
            double value = Deviation * Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
            values[i] = (ushort)(BitConverter.SingleToUInt32Bits((float)value) >> 16);
        }

        return values;
    }

    private IEnumerable<(string Name, int[] Shape)> Tensors()
    {
        int hidden = Shape.HiddenSize;
        yield return ("model.embed_tokens.weight", [Vocabulary, hidden]);
        for (int layer = 0; layer < Layers; layer++)
        {
            string prefix = FormattableString.Invariant($"model.layers.{layer}.");
            yield return ($"{prefix}input_layernorm.weight", [hidden]);
            yield return ($"{prefix}post_attention_layernorm.weight", [hidden]);
            foreach ((string name, int rows, int columns) in Costs.Projections(Shape))
            {
                yield return ($"{prefix}self_attn.{name}.weight", [rows, columns]);
            }

            yield return ($"{prefix}self_attn.kv_a_layernorm.weight", [Shape.KvLoraRank]);
            yield return ($"{prefix}self_attn.kv_b_proj.weight", [Shape.Heads * (Shape.QkNopeHeadDim + Shape.VHeadDim), Shape.KvLoraRank]);
            if (layer > 0)
            {
                yield return ($"{prefix}mlp.gate.weight", [Experts, hidden]);
            }

            IEnumerable<(string Name, int Width)> parts = layer == 0
                ? [("mlp.", DenseWidth)]
                : [.. Enumerable.Range(0, Experts).Select(static expert => (FormattableString.Invariant($"mlp.experts.{expert}."), ExpertWidth)), ("mlp.shared_experts.", SharedExperts * ExpertWidth)];
            foreach ((string name, int width) in parts)
            {
                yield return ($"{prefix}{name}gate_proj.weight", [width, hidden]);
                yield return ($"{prefix}{name}up_proj.weight", [width, hidden]);
                yield return ($"{prefix}{name}down_proj.weight", [hidden, width]);
            }
        }

        yield return ("model.norm.weight", [hidden]);
        yield return ("lm_head.weight", [Vocabulary, hidden]);
    }
}

[System.Text.Json.Serialization.JsonSerializable(typeof(Dictionary<string, Dictionary<string, string>>))]
internal sealed partial class WeightMapJson : System.Text.Json.Serialization.JsonSerializerContext;
