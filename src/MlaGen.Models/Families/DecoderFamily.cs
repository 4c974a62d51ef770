namespace MlaGen.Models;

/// <summary>
/// A family of decoders: what it reads from <c>config.json</c>, checked before any weight is touched, and how its weights become a decoder. This base is
/// what all have in common; a family says what differs.
/// </summary>
internal abstract class DecoderFamily
{
    private const int MostWidth = 1 << 20;

    private readonly bool _isTied;

    private static readonly (string Types, Func<ModelConfig, DecoderFamily> Create)[] _all =
    [
        ("deepseek_v2", static model => new DeepSeekV2(model)),
        ("deepseek_v3 kimi_k2 glm4_moe_lite", static model => new DeepSeekV3(model)),
        ("deepseek_v32", static model => new DeepSeekV3(model)),
        ("glm_moe_dsa", static model => new DeepSeekV3(model)),
        ("axk1 AXK1", static model => new AXK1(model)),
        ("axk2", static model => new AXK2(model)),
        ("mistral4", static model => new Mistral4(model)),
        ("hy_v4", static model => new HyV4(model)),
        ("longcat_flash", static model => new LongCatFlash(model)),
        ("minicpm3", static model => new MiniCpm3(model)),
        ("youtu youtu_llm", static model => new Youtu(model)),
    ];

    protected DecoderFamily(ModelConfig model)
    {
        Model = model;
        Epsilon = (float)Config.Number("rms_norm_eps", 1e-12, 0.1, DefaultEpsilon);
        Config.Word("hidden_act", "silu", "silu");
        _isTied = Config.Flag("tie_word_embeddings", TiesByDefault);
        HasMlpBias = MayHaveMlpBias && Config.Flag("mlp_bias", false);
    }

    /// <summary>The families, for messages.</summary>
    public static string TypesInWords => $"one of {string.Join(", ", _all.SelectMany(static family => family.Types.Split(' ')))}";

    protected ModelConfig Model { get; }

    protected ConfigSection Config => Model.Text;

    protected int Hidden => Model.HiddenSize;

    protected float Epsilon { get; }

    /// <summary>Decoder layers.</summary>
    public virtual int Layers => Config.Integer("num_hidden_layers", 1, ModelConfig.MostLayers);

    /// <summary>Layers of the cache.</summary>
    public virtual int AttentionLayers => Layers;

    /// <summary>Which elements of the rotary part form a pair.</summary>
    public virtual RopeLayout RopeLayout => Config.Flag("rope_interleave", true) ? RopeLayout.Interleaved : RopeLayout.HalfSplit;

    /// <summary>Whether YaRN's <c>mscale_all_dim</c> scales the scores.</summary>
    public virtual bool ScalesScores => true;

    /// <summary>What the output of a head is multiplied by.</summary>
    public virtual OutputGate OutputGate => OutputGate.None;

    /// <summary>Whether each head has a learned sink in its softmax.</summary>
    public virtual bool HasSinks => false;

    /// <summary>What the family fixes of a sparse indexer; none where it attends to all tokens.</summary>
    public virtual IndexerRules? Indexer => null;

    /// <summary>Whether an absent <c>v_head_dim</c> is <c>hidden_size / num_attention_heads</c>.</summary>
    public virtual bool DerivesVHeadDim => false;

    /// <summary>The rotary base where <c>rope_theta</c> is absent.</summary>
    public virtual double DefaultRopeTheta => 10000;

    /// <summary>Epsilon of the norms outside attention where <c>rms_norm_eps</c> is absent.</summary>
    protected virtual double DefaultEpsilon => 1e-6;

    /// <summary>Whether transformers' class heeds <c>mlp_bias</c>.</summary>
    protected virtual bool MayHaveMlpBias => false;

    /// <summary>Whether the matrices of feed-forward parts that are not routed have biases.</summary>
    protected bool HasMlpBias { get; }

    /// <summary>Whether the head is the embedding where <c>tie_word_embeddings</c> is absent.</summary>
    protected virtual bool TiesByDefault => false;

    protected virtual float EmbeddingScale => 1;

    protected virtual float HeadScale => 1;

    /// <summary>Rows of the residual for each token.</summary>
    protected virtual int Streams => 1;

    /// <exception cref="ModelConfigException">There is no such family, or a number of it cannot be.</exception>
    public static DecoderFamily Create(ModelConfig model)
    {
        foreach ((string types, Func<ModelConfig, DecoderFamily> create) in _all)
        {
            if (types.Split(' ').Contains(model.ModelType))
            {
                DecoderFamily family = create(model);
                _ = family.AttentionLayers;
                return family;
            }
        }

        throw model.Text.Wrong("model_type", TypesInWords, model.ModelType.Length < 40 ? model.ModelType : "another");
    }

    public virtual double QueryLatentScale(MlaShape shape) => 1;

    public virtual double KeyLatentScale(MlaShape shape) => 1;

    /// <summary>Loads the weights.</summary>
    /// <param name="model">The names below <c>model.</c></param>
    /// <param name="root">The names beside it.</param>
    /// <exception cref="CheckpointException">A tensor is missing, or has another shape or type.</exception>
    public Decoder Load(WeightSource model, WeightSource root)
    {
        Embedding embedding = LoadEmbedding(model);
        return new()
        {
            Embedding = embedding,
            Layers = LoadLayers(model),
            Norm = model.Norm("norm", Hidden, Epsilon),
            Head = LoadHead(embedding, root),
            HeadScale = HeadScale,
            Streams = Streams,
            Merge = LoadMerge(model),
        };
    }

    /// <summary>Loads what makes one hidden state of the streams, where there are several.</summary>
    protected virtual StreamMix? LoadMerge(WeightSource model) => null;

    private Embedding LoadEmbedding(WeightSource model) => new(model.Linear("embed_tokens", Hidden, Model.VocabularySize), EmbeddingScale);

    private Linear LoadHead(Embedding embedding, WeightSource root) =>
        _isTied ? embedding.Table : root.Linear("lm_head", Hidden, Model.VocabularySize);

    private IDecoderLayer[] LoadLayers(WeightSource model)
    {
        List<IDecoderLayer> layers = [];
        for (int layer = 0; layer < Layers; layer++)
        {
            layers.Add(LoadLayer(model.At(FormattableString.Invariant($"layers.{layer}.")), layer));
        }

        return [.. layers];
    }

    protected virtual IDecoderLayer LoadLayer(WeightSource weights, int layer) => new DecoderLayer(
        LoadNorm(weights, "input_layernorm", layer),
        weights.Attention("self_attn.", layer),
        LoadNorm(weights, "post_attention_layernorm", layer),
        LoadFeedForward(weights.At("mlp."), layer));

    protected virtual INorm LoadNorm(WeightSource weights, string name, int layer) => weights.Norm(name, Hidden, Epsilon);

    /// <summary>Loads the dense feed-forward part.</summary>
    protected virtual IFeedForward LoadFeedForward(WeightSource weights, int layer) => weights.Mlp(Hidden, Width("intermediate_size"), bias: HasMlpBias);

    protected int Width(string key) => Config.Integer(key, 1, MostWidth);
}
