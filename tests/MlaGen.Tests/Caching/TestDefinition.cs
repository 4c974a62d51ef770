using MlaGen.Runtime;

namespace MlaGen.Tests.Caching;

/// <summary>What a definition is made of, each part to be changed by itself: sound as it is, with pages of four tokens, and without arithmetic.</summary>
internal sealed record TestDefinition(MlaShape Shape)
{
    public int Contract { get; init; } = MlaContract.Number;

    public float SoftmaxScale { get; init; } = 1;

    public float QLatentScale { get; init; } = 1;

    public float KvLatentScale { get; init; } = 1;

    public RopeLayout RopeLayout { get; init; } = RopeLayout.Interleaved;

    public float[] InverseFrequencies { get; init; } = [.. Enumerable.Repeat(1f, Shape.QkRopeHeadDim / 2)];

    /// <summary>Cores of each form.</summary>
    public (int Absorbed, int Decompressed) Cores { get; init; } = (1, 1);

    /// <summary>Makes a core of the absorbed form.</summary>
    public Func<CoreTarget, RowOperand, AbsorbedLayout, AbsorbedCore> AbsorbedCore { get; init; } = static (target, operand, layout) => new NoAbsorbedCore(target, operand, layout);

    /// <summary>What each core needs of the machine; the rows that each form reads.</summary>
    public CoreTarget Target { get; init; } = CoreTarget.Scalar;

    public (RowOperand Absorbed, RowOperand Decompressed) Operands { get; init; } = (RowOperand.Float32, RowOperand.Float32);

    public int BlockTokens { get; init; } = 4;

    public int PrefetchTokens { get; init; } = 1;

    public int Columns { get; init; } = Shape.Heads;

    public int ColumnStride { get; init; } = Shape.Heads;

    public int MostParts { get; init; } = 1;

    public int SingleBlockParts { get; init; } = 1;

    public int PartBlocks { get; init; } = 1;

    public int MostQueries { get; init; } = 1;

    public int KeyTile { get; init; } = 4;

    public int KeyStride { get; init; } = Shape.QkHeadDim;

    public int ValueStride { get; init; } = Shape.VHeadDim;

    public int QueryTile { get; init; } = 4;

    public int QueryPanel { get; init; } = 4;

    public int QueryStride { get; init; } = 4;

    public MlaDefinition Build() => new()
    {
        Contract = Contract,
        Shape = Shape,
        Kernels = new MlaKernels
        {
            Absorbed = [.. Enumerable.Range(0, Cores.Absorbed).Select(_ => AbsorbedCore(Target, Operands.Absorbed, new AbsorbedLayout
            {
                BlockTokens = BlockTokens,
                ScoreStride = ColumnStride,
                Queries = new QueryPanels([0, Columns], Columns),
                PrefetchTokens = PrefetchTokens,
                MostParts = MostParts,
                SingleBlockParts = SingleBlockParts,
                PartBlocks = PartBlocks,
                MostQueries = MostQueries,
            }))],
            Decompressed = [.. Enumerable.Range(0, Cores.Decompressed).Select(_ => new NoDecompressedCore(Target, Operands.Decompressed, new DecompressedLayout
            {
                KeyTile = KeyTile,
                ScoreStride = QueryStride,
                KeyStride = KeyStride,
                ValueStride = ValueStride,
                QueryTile = QueryTile,
                QueryPanel = QueryPanel,
            }))],
        },
        SoftmaxScale = SoftmaxScale,
        LatentNormEpsilon = 1e-6,
        QLatentScale = QLatentScale,
        KvLatentScale = KvLatentScale,
        RopeLayout = RopeLayout,
        InverseFrequencies = InverseFrequencies,
        RopeAttentionFactor = 1,
        BreakEvenQueries = 0,
    };

    private sealed class NoAbsorbedCore(CoreTarget target, RowOperand operand, AbsorbedLayout layout) : AbsorbedCore(target, operand, layout)
    {
        public override void Attend(ref AbsorbedBlock block) => throw new NotSupportedException("Only the cache is under test.");
    }

    private sealed class NoDecompressedCore(CoreTarget target, RowOperand operand, DecompressedLayout layout) : DecompressedCore(target, operand, layout)
    {
        public override void Attend(ref DecompressedTile tile) => throw new NotSupportedException("Only the cache is under test.");
    }
}
