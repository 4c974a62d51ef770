using MlaGen.Runtime;
using MlaGen.Tests.Attention;
using MlaGen.Tests.Caching;

namespace MlaGen.Tests.Execution;

/// <summary>What emitted code and runtime agree on, and which of a class's cores runs.</summary>
public sealed class ContractTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(MlaContract.Number + 1)]
    public void Code_of_another_contract_is_refused_before_anything_runs(int contract)
    {
        Foreign.Contract = contract;
        InvalidOperationException refused = Assert.Throws<InvalidOperationException>(() => new LatentCache<Foreign>(1, 16));
        Assert.Contains($"emitted for contract {contract} of the MlaGen package; this runtime keeps contract {MlaContract.Number}", refused.Message, StringComparison.Ordinal);
        Assert.Throws<InvalidOperationException>(() => new MlaLayer<Foreign>(0, null!));
    }

    [Fact]
    public void A_definition_that_contradicts_itself_is_refused_by_what_does_not_hold()
    {
        var sound = new TestDefinition(TinyAttention.Shape);
        MlaShape shape = sound.Shape;
        (string What, TestDefinition[] Wrong)[] contradictions =
        [
            ("dimensions are positive",
            [
                sound with { Shape = shape with { Heads = 0 } },
                sound with { Shape = shape with { KvLoraRank = 0 } },
                sound with { Shape = shape with { QkNopeHeadDim = 0 } },
                sound with { Shape = shape with { VHeadDim = 0 } },
                sound with { Shape = shape with { QkRopeHeadDim = -1 } },
                sound with { Shape = shape with { QLoraRank = -1 } },
                sound with { Shape = shape with { HiddenSize = 0 } },
            ]),
            ("a frequency for each pair of the rotary key", [sound with { InverseFrequencies = [1, 1] }, sound with { Shape = shape with { QkRopeHeadDim = 0 } }]),
            ("factors are finite",
            [
                sound with { SoftmaxScale = float.NaN },
                sound with { QLatentScale = float.PositiveInfinity },
                sound with { KvLatentScale = float.NegativeInfinity },
            ]),
            ("each form has a core that runs anywhere, the last one",
            [
                sound with { Cores = (0, 1) },
                sound with { Cores = (1, 0) },
                sound with { Target = CoreTarget.Vector512 },
                sound with { Operands = ((RowOperand)1, RowOperand.Float32) },
                sound with { Operands = (RowOperand.Float32, (RowOperand)1) },
            ]),
            ("a block has rows", [sound with { BlockTokens = 0 }, sound with { PrefetchTokens = -1 }]),
            ("a column for each head", [sound with { Columns = shape.Heads - 1 }, sound with { Columns = 4, ColumnStride = 3 }]),
            ("parts are a power of two", [sound with { MostParts = 3 }, sound with { MostParts = 0 }, sound with { SingleBlockParts = 0 }, sound with { PartBlocks = 0 }]),
            ("a query goes through its keys", [sound with { MostQueries = 0 }]),
            ("a tile holds keys and values",
            [
                sound with { KeyTile = 0 },
                sound with { KeyStride = shape.QkHeadDim - 1 },
                sound with { ValueStride = shape.VHeadDim - 1 },
            ]),
            ("a tile of queries is whole panels", [sound with { QueryPanel = 0 }, sound with { QueryTile = 0 }, sound with { QueryPanel = 3 }, sound with { QueryStride = 3 }]),
        ];

        Assert.All(contradictions, static contradiction => Assert.All(contradiction.Wrong, wrong =>
        {
            InvalidOperationException refused = Assert.Throws<InvalidOperationException>(wrong.Build().Checked);
            Assert.Contains($"contradicts itself ({contradiction.What})", refused.Message, StringComparison.Ordinal);
        }));

        // What is allowed beside: a rotary part that is not turned, or none, and padding.
        TestDefinition[] more =
        [
            sound, sound with { InverseFrequencies = [] }, sound with { Shape = shape with { QkRopeHeadDim = 0 }, InverseFrequencies = [] },
            sound with { Columns = 4, ColumnStride = 6, MostParts = 8, KeyStride = 16, ValueStride = 16, QueryPanel = 2, QueryStride = 16 },
        ];
        Assert.All(more, static definition => Assert.NotNull(definition.Build().Checked()));
    }

    [Fact]
    public void The_first_core_that_the_machine_can_run_runs_and_the_wider_ones_say_why_not()
    {
        MlaCores cores = MlaCores.Of<YarnAttention>();
        Assert.All((IReadOnlyList<MlaCore>[])[cores.Absorbed, cores.Decompressed], listed =>
        {
            // Those of machine code are in classes that ask for less than the highest precision.
            Assert.Equal(Enum.GetValues<CoreTarget>().Where(target => target <= CoreTarget.Vector512).Reverse(), listed.Select(core => core.Target));
            MlaCore running = Assert.Single(listed, core => core.Runs);
            Assert.Equal(SimdTiers.Current.ToString(), running.Target.ToString());
            Assert.All(listed, core => Assert.Equal(core.Target > running.Target, core.Refusal is not null));
        });
        Assert.Contains(SimdTiers.Current.ToString(), cores.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(CacheFormat.Float32)]
    [InlineData(CacheFormat.Int8)]
    public void Rows_of_a_range_a_path_and_a_list_come_in_the_order_of_their_keys(CacheFormat format)
    {
        const int PageTokens = 4;
        const int Tokens = 19;
        MlaShape shape = YarnAttention.Shape;
        int width = shape.CacheRowElements;
        using LatentCache<YarnAttention> cache = YarnAttention.CreateCache(1, 64, new LatentCacheOptions { PageTokens = PageTokens, Format = format });
        using LatentSequence sequence = cache.CreateSequence();
        using MlaBatch<YarnAttention> batch = cache.CreateBatch();
        batch.Add(sequence, Tokens);
        YarnAttention.AppendLatent(batch, 0, Prompt.Random("keys", Tokens, width).Hidden);
        batch.Commit();
        int[] listed = [17, 3, 4, 5, 6, 18, 0];
        (KeySource Keys, int[] Tokens)[] sources =
        [
            (KeySource.Range(sequence, 13), [.. Enumerable.Range(0, 13)]),
            (KeySource.Path(sequence, 6, listed, 0, 3), [0, 1, 2, 3, 4, 5, 17, 3, 4]),
            (KeySource.List(sequence, listed, 1, 6), listed[1..]),
        ];
        var gathered = new Workspace();
        float[] expected = new float[width];
        Assert.All(sources, source =>
        {
            Assert.Equal(source.Tokens.Length, source.Keys.Count);
            for (int first = 0; first < source.Tokens.Length; first++)
            {
                for (int count = 1; first + count <= source.Tokens.Length; count++)
                {
                    RowReader reader = RowReader.Create(RowOperand.Float32, batch.Pool, blockTokens: 16, prefetchTokens: 1);
                    ReadOnlySpan<float> rows = System.Runtime.InteropServices.MemoryMarshal.CreateReadOnlySpan(
                        ref System.Runtime.CompilerServices.Unsafe.As<byte, float>(ref reader.Rows(source.Keys, 0, first, count, gathered)), count * width);
                    for (int i = 0; i < count; i++)
                    {
                        sequence.ReadRow(0, source.Tokens[first + i], expected);
                        Assert.Equal(expected, rows.Slice(i * width, width).ToArray());
                    }
                }
            }
        });
    }

    private sealed class Foreign : CacheOnly<Foreign>, IMlaAttention<Foreign>
    {
        public static int Contract { get; set; }

        public static MlaDefinition Definition => new TestDefinition(TinyAttention.Shape) { Contract = Contract }.Build();
    }
}
