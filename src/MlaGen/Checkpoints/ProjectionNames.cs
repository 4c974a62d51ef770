namespace MlaGen.Runtime;

/// <summary>The projections of a layer by their Hugging Face names. Generator and build task compile this file too.</summary>
internal static class ProjectionNames
{
    public const string QProj = "q_proj";
    public const string QAProj = "q_a_proj";
    public const string QALayernorm = "q_a_layernorm";
    public const string QBProj = "q_b_proj";
    public const string KvAProjWithMqa = "kv_a_proj_with_mqa";
    public const string KvALayernorm = "kv_a_layernorm";
    public const string KvBProj = "kv_b_proj";
    public const string OProj = "o_proj";

    /// <summary>Logits without a value, one a head: a tensor by itself.</summary>
    public const string Sinks = "learnable_sink_param";

    /// <summary>What a projection's tensors are called behind its name.</summary>
    public const string Weight = "weight";
    public const string Bias = "bias";

    /// <summary>The scales of block-scaled weights: DeepSeek's name, which is a multiplier nonetheless, and that of compressed-tensors.</summary>
    public const string ScaleInverse = "weight_scale_inv";
    public const string Scale = "weight_scale";

    /// <summary>Names that other attentions have as well.</summary>
    public static readonly string[] Common = [QProj, OProj];

    /// <summary>Names that only Multi-head Latent Attention has: a module with one of them is a layer of it.</summary>
    public static readonly string[] Distinctive = [QAProj, QALayernorm, QBProj, KvAProjWithMqa, KvALayernorm, KvBProj];

    /// <summary>Everything that a projection's name can be, whatever the class, in the order in which a layer uses them.</summary>
    public static readonly string[] All = [QProj, QAProj, QALayernorm, QBProj, KvAProjWithMqa, KvALayernorm, KvBProj, OProj];

    /// <summary>What published models call the projection of output gates from the hidden state.</summary>
    public static readonly string[] Gates = ["g_proj", "linear_gate"];

    /// <summary>All tensors of a projection.</summary>
    public static readonly string[] Tensors = [Weight, Bias, ScaleInverse, Scale];

    /// <summary>The tensor without which there is nothing of a projection.</summary>
    public static string WeightTensor(string projection) => projection == Sinks ? Sinks : $"{projection}.{Weight}";
}
