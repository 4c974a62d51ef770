namespace MlaGen;

/// <summary>
/// Turns a partial class into a Multi-head Latent Attention (MLA) layer of exactly these dimensions. The names are those of the
/// model's Hugging Face configuration in PascalCase; the arithmetic follows transformers' <c>DeepseekV3Attention</c> and its relatives.
/// </summary>
/// <remarks>Every value is read by the compiler: nothing here costs anything at run time.</remarks>
[AttributeUsage(AttributeTargets.Class, AllowMultiple = false, Inherited = false)]
public sealed class MlaAttentionAttribute : Attribute
{
    /// <summary>Dimensions are given by the properties below.</summary>
    public MlaAttentionAttribute()
    {
    }

    /// <summary>Dimensions come from a model's own <c>config.json</c>; properties set here override it.</summary>
    /// <param name="modelConfig">Name of an <c>MlaModelConfig</c> item of the project: its <c>Name</c> metadata, by default the folder that holds the file.</param>
    public MlaAttentionAttribute(string modelConfig) => ModelConfig = modelConfig;

    /// <summary>Name of the <c>MlaModelConfig</c> item that the dimensions come from, or <see langword="null"/>.</summary>
    public string? ModelConfig { get; }

    /// <summary>Width of the residual stream (<c>hidden_size</c>). Required.</summary>
    public int HiddenSize { get; set; }

    /// <summary>Number of attention heads (<c>num_attention_heads</c>). Required.</summary>
    public int Heads { get; set; }

    /// <summary>Rank of the query's low-rank projection (<c>q_lora_rank</c>); 0 means one full <c>q_proj</c>.</summary>
    public int QLoraRank { get; set; }

    /// <summary>Width of the latent that the cache keeps for each token (<c>kv_lora_rank</c>).</summary>
    public int KvLoraRank { get; set; } = 512;

    /// <summary>Width of the rotary key that all heads share (<c>qk_rope_head_dim</c>); even, 0 means no rotary part.</summary>
    public int QkRopeHeadDim { get; set; } = 64;

    /// <summary>Width of a head's key without its rotary part (<c>qk_nope_head_dim</c>).</summary>
    public int QkNopeHeadDim { get; set; } = 128;

    /// <summary>Width of a head's value (<c>v_head_dim</c>).</summary>
    public int VHeadDim { get; set; } = 128;

    /// <summary>
    /// Positions run from 0 up to, not including, this number; a configuration's <c>max_position_embeddings</c> is its default. A limit of the class and no
    /// parameter of the model: no frequency, factor or scale is derived from it.
    /// </summary>
    public int MaxPositionEmbeddings { get; set; } = 4096;

    /// <summary>Whether <c>q_a_proj</c>, <c>kv_a_proj_with_mqa</c> and <c>o_proj</c> carry a bias (<c>attention_bias</c>).</summary>
    public bool AttentionBias { get; set; }

    /// <summary>Base of the rotary frequencies (<c>rope_theta</c>).</summary>
    public double RopeTheta { get; set; } = 10000;

    /// <summary>Which elements of the rotary part form a pair.</summary>
    public RopeLayout RopeLayout { get; set; } = RopeLayout.Interleaved;

    /// <summary>How the rotary frequencies are stretched beyond the trained context.</summary>
    public RopeScaling RopeScaling { get; set; } = RopeScaling.None;

    /// <summary>
    /// YaRN and LongRoPE: how many times longer the model's context is than the trained one (<c>factor</c>). 0 takes it from the configuration: its factor, or
    /// its <c>max_position_embeddings</c> / <c>original_max_position_embeddings</c>. Without a configuration it must be given.
    /// </summary>
    public double RopeFactor { get; set; }

    /// <summary>Context length before scaling (<c>original_max_position_embeddings</c>): for YaRN, LongRoPE and the llama-4 position scale.</summary>
    public int OriginalMaxPositionEmbeddings { get; set; }

    /// <summary>YaRN: rotations above which a frequency is kept (<c>beta_fast</c>).</summary>
    public double BetaFast { get; set; } = 32;

    /// <summary>YaRN: rotations below which a frequency is divided by the factor (<c>beta_slow</c>).</summary>
    public double BetaSlow { get; set; } = 1;

    /// <summary>YaRN: <c>mscale</c>; 0 means absent.</summary>
    public double Mscale { get; set; }

    /// <summary>YaRN: <c>mscale_all_dim</c>; 0 means absent.</summary>
    public double MscaleAllDim { get; set; }

    /// <summary>YaRN: whether the correction range is rounded outwards to whole dimensions (<c>truncate</c>).</summary>
    public bool RopeTruncate { get; set; } = true;

    /// <summary>YaRN and LongRoPE: factor on cosine and sine (<c>attention_factor</c>); 0 derives it.</summary>
    public double AttentionFactor { get; set; }

    /// <summary>LongRoPE: divisors of the frequencies up to the original context (<c>short_factor</c>), <c>QkRopeHeadDim / 2</c> of them.</summary>
    public double[]? ShortFactor { get; set; }

    /// <summary>LongRoPE: divisors of the frequencies beyond the original context (<c>long_factor</c>). The choice is static: it must equal <see cref="ShortFactor"/> unless positions stay within the original context.</summary>
    public double[]? LongFactor { get; set; }

    /// <summary>Epsilon of the two latent norms. transformers fixes it at 1e-6 whatever <c>rms_norm_eps</c> says.</summary>
    public double LatentNormEpsilon { get; set; } = 1e-6;

    /// <summary>Softmax scale in place of the derived <c>(QkNopeHeadDim + QkRopeHeadDim)^-0.5</c> times YaRN's <c>mscale²</c>; 0 derives it.</summary>
    public double SoftmaxScale { get; set; }

    /// <summary>LongCat: multiplies the normalised query latent by <c>sqrt(HiddenSize / QLoraRank)</c> (<c>mla_scale_q_lora</c>).</summary>
    public bool ScaleQLora { get; set; }

    /// <summary>LongCat: multiplies the normalised key/value latent by <c>sqrt(HiddenSize / KvLoraRank)</c> (<c>mla_scale_kv_lora</c>); the rotary key stays unscaled.</summary>
    public bool ScaleKvLora { get; set; }

    /// <summary>Mistral: queries grow by <c>1 + beta·ln(1 + floor(position / OriginalMaxPositionEmbeddings))</c> (<c>llama_4_scaling_beta</c>); 0 means absent.</summary>
    public double Llama4ScalingBeta { get; set; }

    /// <summary>
    /// What the output of each head is multiplied by before <c>o_proj</c> (<c>mla_use_output_gate</c>, <c>gated_attention_proj_granularity_type</c>, or fixed by the model type).
    /// </summary>
    public OutputGate OutputGate { get; set; } = OutputGate.None;

    /// <summary>
    /// What the checkpoint calls the projection of output gates from the hidden state: <c>g_proj</c> in Kimi-K3 and Ling 3, <c>linear_gate</c> in Hy4. Letters, digits
    /// and underscores; has a meaning beside <see cref="OutputGate.HeadWise"/> and <see cref="OutputGate.ElementWise"/> alone.
    /// </summary>
    public string OutputGateName { get; set; } = "g_proj";

    /// <summary>
    /// Whether each head has a learned logit without a value that joins its softmax (<c>learnable_sink_param</c>): <c>p = e^s / (e^sink + Σ e^s)</c>. Fixed by the model type: Hy4.
    /// </summary>
    public bool AttentionSinks { get; set; }

    /// <summary>
    /// How caches of the class keep the latents and the rotary key, exact or in fewer bytes, unless they are made with another
    /// <see cref="LatentCacheOptions.Format"/>.
    /// </summary>
    public CacheFormat CacheFormat { get; set; } = CacheFormat.Float32;

    /// <summary>
    /// Accepts a configuration with a sparse indexer (<c>index_topk</c>, DeepSeek sparse attention). Attention stays dense, which is the same
    /// as long as there are no more keys than the indexer selects: <see cref="MaxPositionEmbeddings"/> is limited to <c>index_topk</c>, and nothing else changes. The class loads
    /// from a checkpoint with an indexer's tensors, which it passes over; where no configuration says <c>index_topk</c>, the limit is the class's own to set.
    /// </summary>
    public bool AllowDense { get; set; }

    /// <summary>
    /// Says that the class loads decoded weights, so that a configuration that quantizes attention in a way that is not read does not matter. What is loaded is
    /// checked as ever: a tensor that is still packed is refused by its type.
    /// </summary>
    public bool DecodedWeights { get; set; }
}
