using Xunit;

namespace MlaGen.Generator.Tests.Checkpoints;

/// <summary>
/// Tensors beside those that a class with a query latent reads, and what is to be said of them. The tests of the runtime compile this file too: what the
/// build refuses, loading refuses, in the same words.
/// </summary>
internal static class UnreadTensors
{
    private const string Unknown = "nothing reads it, and it might change what attention computes";
    private const string Gate = "it makes an output gate, and the class has none of that name: OutputGate and OutputGateName on the class say which";
    private const string Sinks = "it has attention sinks, and the class none: AttentionSinks = true on the class reads it";
    private const string Quantized = "it belongs to a quantization that is not read";
    private const string OtherQuery = "QLoraRank is not 0: queries pass through q_a_proj and q_b_proj";
    private const string NoBias = "the latent norms have no bias";
    private const string Sparse = "it belongs to a sparse indexer, and attention is dense: AllowDense = true with MaxPositionEmbeddings of at most the model's index_topk accepts that, since up to there both are the same";
    private const string UnknownIndexer = "it is no known part of a sparse indexer, and dense attention in its place might differ at any length";

    /// <summary>Name behind the prefix, type and shape; whether the class has <c>AllowDense</c>; and why it is refused, if it is.</summary>
    public static TheoryData<string, bool, string?> All
    {
        get
        {
            TheoryData<string, bool, string?> data = [];
            Add(
                Unknown,
                "gate_proj.weight BF16 [256, 256]",
                "sinks BF16 [8]",
                "attn_sink F32 [8]",
                "q_norm.weight BF16 [48]",
                "sub.module.weight BF16 [1]",
                "k_scale F32 [8]",
                "softmax_scale F32 [1]",
                "rotary_emb.freqs F32 [8]");
            Add(Gate, "g_proj.weight BF16 [256, 256]", "linear_gate.weight BF16 [256, 256]");
            Add(Sinks, "learnable_sink_param F32 [8]");
            Add(
                Quantized,
                "o_proj.pre_quant_scale BF16 [256]",
                "o_proj.weight_scale_2 F32 [1]",
                "o_proj.input_scale F32 [256]",
                "kv_a_layernorm.weight_scale F32 [1]");
            Add(OtherQuery, "q_proj.weight BF16 [384, 256]", "q_proj.bias F32 [384]");
            Add(NoBias, "kv_a_layernorm.bias F32 [64]", "q_a_layernorm.bias F32 [128]");
            Add(
                null,
                "rotary_emb.inv_freq F32 [8]",
                "k_scale F32 [1]",
                "v_scale BF16 []",
                "kv_b_proj.k_scale F32 [1, 1]",
                "o_proj.input_scale F32 [1]",
                "o_proj.activation_scale F32 []");
            AddIndexer(
                null,
                "indexer.wq_b.weight BF16 [64, 128]",
                "indexer.wk.weight BF16 [16, 256]",
                "indexer.wk.weight_scale_inv F32 [1, 2]",
                "indexer.k_norm.bias F32 [16]",
                "indexer.weights_proj.weight BF16 [4, 256]",
                "indexer.rotary_emb.inv_freq F32 [8]");
            AddIndexer(UnknownIndexer, "indexer.index_kpool_compress_gate BF16 [16, 256]", "indexer.pool.weight BF16 [16, 256]", "indexer.q_norm.weight F32 [16]");
            return data;

            // AllowDense is about the indexer alone.
            void Add(string? because, params string[] tensors)
            {
                foreach (string tensor in tensors)
                {
                    data.Add(tensor, false, because);
                    data.Add(tensor, true, because);
                }
            }

            void AddIndexer(string? becauseDense, params string[] tensors)
            {
                foreach (string tensor in tensors)
                {
                    data.Add(tensor, false, becauseDense ?? Sparse);
                    data.Add(tensor, true, becauseDense);
                }
            }
        }
    }
}
