using MlaGen.Tests.Caching.Formats;
using MlaGen.Tests.Oracles;

namespace MlaGen.Tests.Attention;

/// <summary>A generated class with random weights, beside what the oracles need to know of it.</summary>
internal abstract class TestLayer
{
    private static readonly OracleRope _yarn = new() { Scaling = RopeScaling.Yarn, Factor = 40, OriginalMaxPosition = 4096, MscaleNumerator = 1, MscaleAllDim = 1 };

    private static readonly OracleRope _longRope = new() { Scaling = RopeScaling.LongRope, MaxPosition = 8192, OriginalMaxPosition = 32, LongRopeFactors = [1, 1.1, 1.5, 3] };

    private static readonly Dictionary<string, Lazy<TestLayer>> _layers = new()
    {
        ["yarn"] = Make<YarnAttention>("yarn", spec => spec with { Rope = _yarn }),
        ["odd"] = Make<OddAttention>("odd", spec => spec with { Rope = new OracleRope { Layout = RopeLayout.HalfSplit } }, biases: true),
        ["ropeless"] = Make<RopelessAttention>("ropeless", spec => spec),
        ["one head"] = Make<OneHeadAttention>("one head", spec => spec with { Rope = new OracleRope { Layout = RopeLayout.None } }),
        ["scaled"] = Make<ScaledAttention>("scaled", spec => spec with { Rope = _longRope, ScaleQLora = true, ScaleKvLora = true, Llama4Beta = 0.1 }),
        ["query gate"] = Make<QueryGateAttention>("query gate", spec => spec with { Gate = OutputGate.Query }, biases: true),
        ["gate and sinks"] = Make<GateAndSinkAttention>(
            "gate and sinks", spec => spec with { Gate = OutputGate.ElementWise, GateName = "linear_gate", HasSinks = true, Rope = new OracleRope { Layout = RopeLayout.HalfSplit } }),
        ["head gate"] = Make<HeadGateAttention>("head gate", spec => spec with { Gate = OutputGate.HeadWise }),
        ["sinks"] = Make<SinkAttention>("sinks", spec => spec with { HasSinks = true }),
        ["many heads"] = Make<ManyHeadsAttention>("many heads", spec => spec),
    };

    private static readonly Dictionary<CacheFormat, Lazy<TestLayer>> _formats = new()
    {
        [CacheFormat.Float32] = _layers["odd"],
        [CacheFormat.BFloat16] = Make<BFloat16Attention>("bf16", spec => spec),
        [CacheFormat.Float16] = Make<Float16Attention>("fp16", spec => spec),
        [CacheFormat.Float8] = Make<Float8Attention>("fp8", spec => spec),
        [CacheFormat.Int8] = Make<Int8Attention>("int8", spec => spec),
    };

    protected TestLayer(OracleSpec spec, OracleWeights weights)
    {
        Spec = spec;
        Weights = weights;
    }

    /// <summary>Names of all layers, for theories.</summary>
    public static IEnumerable<string> Names => _layers.Keys;

    /// <summary>All cache formats, for theories; each has a layer of its own shape.</summary>
    public static IEnumerable<CacheFormat> Formats => _formats.Keys;

    public OracleSpec Spec { get; }

    public OracleWeights Weights { get; }

    public static TestLayer Get(string name) => _layers[name].Value;

    public static TestLayer Get(CacheFormat format) => _formats[format].Value;

    /// <summary>Theory data: every format with every one of some forms.</summary>
    public static TheoryData<CacheFormat, MlaForm> FormatsWith(params MlaForm[] forms)
    {
        var data = new TheoryData<CacheFormat, MlaForm>();
        foreach (CacheFormat format in Formats)
        {
            foreach (MlaForm form in forms)
            {
                data.Add(format, form);
            }
        }

        return data;
    }

    public abstract MlaShape Shape { get; }

    /// <summary>What its caches keep of a token.</summary>
    public abstract CacheLayout Layout { get; }

    public abstract AttentionRun Open(RunOptions options);

    /// <summary>The class's own.</summary>
    public abstract void Warmup();

    /// <summary>Loads a layer of the class, as a user does.</summary>
    public abstract void Load(ICheckpoint checkpoint);

    internal static Lazy<TestLayer> Make<TAttention>(string name, Func<OracleSpec, OracleSpec> traits, bool biases = false, Action<Dictionary<string, WeightTensor>>? change = null, TensorType type = TensorType.Float32)
        where TAttention : class, IMlaAttention<TAttention>
        => new(() =>
        {
            MlaShape shape = TAttention.Shape;
            OracleSpec spec = traits(new OracleSpec
            {
                HiddenSize = shape.HiddenSize,
                Heads = shape.Heads,
                QLoraRank = shape.QLoraRank,
                KvLoraRank = shape.KvLoraRank,
                QkNopeHeadDim = shape.QkNopeHeadDim,
                QkRopeHeadDim = shape.QkRopeHeadDim,
                VHeadDim = shape.VHeadDim,
            });
            Dictionary<string, WeightTensor> weights = RandomLayer.Weights(spec, name, biases);
            change?.Invoke(weights);
            weights = weights.ToDictionary(static weight => weight.Key, weight => weight.Value.Rounded(type));
            return new Layer<TAttention>(spec, OracleWeights.From(weights), TAttention.Load(TestCheckpoint.Of(weights, type), TestCheckpoint.Prefix, layer: 0));
        });

    private sealed class Layer<TAttention>(OracleSpec spec, OracleWeights weights, TAttention attention) : TestLayer(spec, weights)
        where TAttention : class, IMlaAttention<TAttention>
    {
        public override MlaShape Shape => TAttention.Shape;

        public override CacheLayout Layout { get; } = CacheLayout.Of<TAttention>();

        public override AttentionRun Open(RunOptions options) => AttentionRun.Open(attention, options);

        public override void Warmup() => TAttention.Warmup();

        public override void Load(ICheckpoint checkpoint) => TAttention.Load(checkpoint, TestCheckpoint.Prefix, layer: 0);
    }
}
