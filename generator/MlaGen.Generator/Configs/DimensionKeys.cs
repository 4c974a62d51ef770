namespace MlaGen.Generator.Configs;

/// <summary>The keys under which any family's file may state a dimension: that of transformers first, then those of others.</summary>
internal static class DimensionKeys
{
    public static readonly string[] QLoraRank = ["q_lora_rank", "attention_q_lora_dim"];

    public static readonly string[] KvLoraRank = ["kv_lora_rank", "attention_kv_lora_dim"];

    public static readonly string[] QkNopeHeadDim = ["qk_nope_head_dim", "attention_qk_dim"];

    public static readonly string[] QkRopeHeadDim = ["qk_rope_head_dim", "attention_qk_rope_dim"];

    public static readonly string[] VHeadDim = ["v_head_dim", "attention_v_dim"];

    public static readonly string[] MaxPositionEmbeddings = ["max_position_embeddings", "model_max_length"];

    /// <summary>All of them.</summary>
    public static readonly string[][] All = [QLoraRank, KvLoraRank, QkNopeHeadDim, QkRopeHeadDim, VHeadDim, MaxPositionEmbeddings];
}
