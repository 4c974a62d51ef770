using System.Runtime.InteropServices;

namespace MlaGen.Runtime;

/// <summary>A layer of few dimensions, whose weights are zeros and whose cores do next to nothing: what runs around a class's cores runs around these.</summary>
internal sealed class WarmupLayer : IMlaAttention<WarmupLayer>
{
    /// <summary>Keys that whole tiles of every product make up.</summary>
    private const int WholeTile = 12;

    /// <summary>Of any number of lanes, whole pairs of vectors of index heads, and one that is left.</summary>
    private const int IndexHeads = 33;
    private const int IndexHeadDim = 17;

    private readonly MlaLayer<WarmupLayer> _layer;

    /// <param name="type">Type of the weights.</param>
    public WarmupLayer(TensorType type)
    {
        int query = Shape.QkHeadDim;
        int value = Shape.VHeadDim;
        _layer = new MlaLayer<WarmupLayer>(layer: 0, new LayerWeights
        {
            QAProj = new Zeros(type, Shape.QLoraRank, Shape.HiddenSize),
            QALayernorm = new ZeroNorm(Shape.QLoraRank),
            QProj = new Zeros(type, Shape.Heads * (query + value), 2 * Shape.QLoraRank),
            KvAProjWithMqa = new Zeros(type, Shape.CacheRowElements, Shape.HiddenSize),
            KvALayernorm = new ZeroNorm(Shape.KvLoraRank),
            KvBProj = new Zeros(type, Shape.Heads * (Shape.QkNopeHeadDim + value), Shape.KvLoraRank, Shape.QkNopeHeadDim, value),
            OProj = new Zeros(type, Shape.HiddenSize, Shape.Heads * value),
            Sinks = new ZeroSinks(Shape.Heads),
            Indexer = new IndexerWeights
            {
                WqB = new Zeros(type, IndexHeads * IndexHeadDim, Shape.QLoraRank),
                Wk = new Zeros(type, IndexHeadDim, Shape.HiddenSize),
                KNorm = new ZeroLayerNorm(IndexHeadDim),
                WeightsProj = new Zeros(type, IndexHeads, Shape.HiddenSize),
                PoolEmbedding = new ZeroTable(IndexHeadDim),
                PoolGate = new Zeros(type, IndexHeadDim, Shape.HiddenSize),
            },
        });
    }

    /// <summary>Small, but with queries that are wide enough for whole strips of a product, and a block that a few tokens fill.</summary>
    public static MlaShape Shape { get; } = new(
        HiddenSize: 16, Heads: 8, QLoraRank: 16, KvLoraRank: 16, QkNopeHeadDim: 16, QkRopeHeadDim: 4, VHeadDim: 16, MaxPositionEmbeddings: 64);

    public static MlaDefinition Definition { get; } = new()
    {
        Contract = MlaContract.Number,
        Shape = Shape,
        Kernels = new MlaKernels { Absorbed = [new NoAbsorbedCore()], Decompressed = [new NoDecompressedCore()] },
        SoftmaxScale = 1,
        LatentNormEpsilon = 1e-6,
        QLatentScale = 1,
        KvLatentScale = 1,
        RopeLayout = RopeLayout.Interleaved,
        InverseFrequencies = [1, 1],
        RopeAttentionFactor = 1,

        // The gate that takes the most steps; what one from the hidden state adds, a projection, runs in any layer.
        OutputGate = OutputGate.Query,
        BreakEvenQueries = 1,

        // Its steps attend to all tokens at first, and to a selection at last. Pools of one token are keys.
        Indexer = new IndexerDefinition
        {
            TopK = 29,
            Heads = IndexHeads,
            HeadDim = IndexHeadDim,
            RopeLayout = RopeLayout.HalfSplit,
            RotatesLast = false,
            NormEpsilon = 1e-6,
            PoolTokens = 1,
        },
    };

    public int Layer => _layer.Layer;

    public static WarmupLayer Load(ICheckpoint checkpoint, string prefix, int layer) => throw new NotSupportedException("A warm-up has no checkpoint.");

    public void Forward(MlaBatch<WarmupLayer> batch, ReadOnlySpan<float> hidden, Span<float> output) => _layer.Forward(batch, hidden, output);

    public void ProjectLatent(MlaBatch<WarmupLayer> batch, ReadOnlySpan<float> hidden, Span<float> queries, Span<float> rows) => _layer.ProjectLatent(batch, hidden, queries, rows);

    public void ProjectOutput(MlaBatch<WarmupLayer> batch, ReadOnlySpan<float> latents, Span<float> output) => _layer.ProjectOutput(batch, latents, output);

    private sealed class Zeros(TensorType type, int rows, int columns, params ReadOnlySpan<int> groups)
        : Projection(PackedMatrix.Pack(rows, columns, type, static (_, _, destination) => destination.Clear(), groups));

    private sealed class ZeroLayerNorm(int length) : LayerNormWeight(new float[length], new float[length], length, "norm", "length");

    private sealed class ZeroTable(int length) : TableWeight(new float[length], 1, length, "table", "length");

    private sealed class ZeroSinks(int length) : SinkWeight(new float[length], length, "sinks", "length");

    private sealed class ZeroNorm(int length) : NormWeight(new float[length], length, "norm", "length");

    private sealed class NoAbsorbedCore() : AbsorbedCore(CoreTarget.Scalar, RowOperand.Float32, new AbsorbedLayout
    {
        BlockTokens = 4,
        ScoreStride = Shape.Heads,
        Queries = new QueryPanels([0, Shape.Heads], Shape.Heads),
        PrefetchTokens = 1,
        MostParts = 4,
        SingleBlockParts = 1,
        PartBlocks = 2,
        MostQueries = 1,
    })
    {
        // Maxima of a row that has keys: the parts of one without are not folded.
        public override void Attend(ref AbsorbedBlock block) => MemoryMarshal.CreateSpan(ref block.Statistics, Layout.Queries.Columns).Clear();
    }

    private sealed class NoDecompressedCore() : DecompressedCore(CoreTarget.Scalar, RowOperand.Float32, new DecompressedLayout
    {
        KeyTile = WholeTile,
        ScoreStride = 4,
        KeyStride = 2 * PackedMatrix.PanelWidth,
        ValueStride = 2 * PackedMatrix.PanelWidth,
        QueryTile = 4,
        QueryPanel = 4,
    })
    {
        public override void Attend(ref DecompressedTile tile)
        {
        }
    }
}
