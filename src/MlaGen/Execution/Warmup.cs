using System.Runtime.InteropServices;

namespace MlaGen.Runtime;

/// <summary>
/// Runs once, on next to no data, what the steps of a class call, so that all of it is compiled: the class's own cores in their dimensions,
/// and everything that does not depend on them on a layer of few dimensions.
/// </summary>
/// <remarks>
/// Whatever runs once a unit of work or more often is marked <c>AggressiveOptimization</c>: its first call compiles it for good. The JIT would
/// otherwise begin with code that is up to fifty times slower and watch it for a few hundred milliseconds.
/// </remarks>
internal static class Warmup
{
    /// <summary>Rows that each number of which meets one of the cores' tiles.</summary>
    private const int TileTokens = 24;

    /// <summary>New tokens of a step that goes through whole tiles of the products, and through the smaller ones of a rest.</summary>
    private const int ManyTokens = 14;

    public static void Run<T>()
        where T : class, IMlaAttention<T>
    {
        using var executor = new MlaExecutor(threads: 2);
        foreach (CacheFormat format in Enum.GetValues<CacheFormat>())
        {
            Recode(RowCodec.Create(format, WarmupLayer.Shape));
        }

        AttendLatent<T>(executor);
        AttendTiles<T>(executor);
        foreach (PanelProducts format in PanelFormats.All)
        {
            // Attention keeps its weights as they are stored.
            if (format.IsStored)
            {
                Forward(new WarmupLayer(format.Type), CacheLayout.Of<T>().Precision, executor);
            }
        }
    }

    /// <summary>A codec, whichever format the caches of the class are made with; its code does not depend on the dimensions.</summary>
    private static void Recode(RowCodec codec)
    {
        byte[] row = new byte[codec.RowBytes];
        codec.EncodeRow(new float[codec.Elements], row, token: 0);
        codec.DecodeRows(row, 1, new float[codec.Elements]);
    }

    /// <summary>The class's absorbed core: rows that see every number of keys up to the widest tile's, one that sees a whole block, and as many as are shared between threads.</summary>
    private static void AttendLatent<T>(MlaExecutor executor)
        where T : class, IMlaAttention<T>
    {
        MlaShape shape = T.Shape;
        var layout = CacheLayout.Of<T>();
        int block = CoreChoice.First(T.Definition.Kernels.Absorbed, layout, layout.Precision).Layout.BlockTokens;
        using var cache = new LatentCache<T>(layers: 1, block + TileTokens + (2L * layout.PageTokens), new LatentCacheOptions { Name = nameof(Warmup) });
        using LatentSequence few = cache.CreateSequence();
        using LatentSequence whole = cache.CreateSequence();
        using MlaBatch<T> batch = cache.CreateBatch(executor);

        // Positions are given, so that there may be more tokens than the class has positions.
        batch.Add(few, TileTokens, new int[TileTokens]);
        batch.Add(whole, block, new int[block]);
        T.AppendLatent(batch, 0, new float[batch.Rows * layout.RowElements]);
        batch.Commit();

        batch.AddQueries(few, TileTokens);
        batch.AddQueries(whole, 1);
        Attend();
        batch.AddQueries(whole, (int)Math.Min(block, 1 + (MlaExecutor.WorthSharing / ((long)block * shape.Heads * (shape.CacheRowElements + shape.KvLoraRank)))), causal: false);
        Attend();

        void Attend()
        {
            int columns = batch.Rows * shape.Heads;
            T.AttendLatent(batch, 0, new float[columns * shape.CacheRowElements], new float[columns * shape.KvLoraRank], new float[columns]);
            batch.Rollback();
        }
    }

    /// <summary>The class's decompressed core, which takes no weights either: every number of keys up to the widest tile's, then every number of queries.</summary>
    private static void AttendTiles<T>(MlaExecutor executor)
        where T : class, IMlaAttention<T>
    {
        MlaShape shape = T.Shape;
        var cache = CacheLayout.Of<T>();
        DecompressedCore core = CoreChoice.First(T.Definition.Kernels.Decompressed, cache, cache.Precision);
        DecompressedLayout layout = core.Layout;
        float[] keys = new float[core.KeyLength];
        float[] values = new float[core.ValueLength];
        float[] queries = new float[layout.QueryTile * core.QueryFloats(shape)];
        uint[] seen = new uint[layout.KeyTile];
        float[] scores = new float[core.ScoreLength];
        float[] output = new float[layout.QueryTile * core.SumFloats(shape)];
        float[] statistics = new float[3 * layout.QueryTile];
        if (core.Target == CoreTarget.Amx)
        {
            executor.RunApart((_, _) => AttendAll(), 1, CancellationToken.None);
        }
        else
        {
            AttendAll();
        }

        void AttendAll()
        {
            TakeTiles<T>(core, executor);
            for (int tokens = 1; tokens <= Math.Min(TileTokens, layout.KeyTile); tokens++)
            {
                Attend(tokens, layout.QueryPanel);
            }

            for (int columns = layout.QueryPanel; columns <= layout.QueryTile; columns += layout.QueryPanel)
            {
                Attend(layout.KeyTile, columns);
            }
        }

        void Attend(int tokens, int columns)
        {
            var tile = new DecompressedTile
            {
                Keys = ref MemoryMarshal.GetReference(MemoryMarshal.AsBytes(keys.AsSpan())),
                Values = ref MemoryMarshal.GetReference(MemoryMarshal.AsBytes(values.AsSpan())),
                Tokens = tokens,
                Queries = ref MemoryMarshal.GetReference(MemoryMarshal.AsBytes(queries.AsSpan())),
                Columns = columns,
                Seen = ref seen[0],
                Masked = columns == layout.QueryPanel,
                Scores = ref scores[0],
                Sums = ref output[0],
                Statistics = ref statistics[0],
            };
            core.Attend(ref tile);
        }
    }

    /// <summary>What brings queries, rows and weights of one head into the form in which the class's decompressed core takes them, and sums back.</summary>
    private static void TakeTiles<T>(DecompressedCore core, MlaExecutor executor)
        where T : class, IMlaAttention<T>
    {
        MlaShape shape = T.Shape;
        DecompressedLayout layout = core.Layout;
        using var cache = new LatentCache<T>(layers: 1, maxTokens: 1, new LatentCacheOptions { Name = nameof(Warmup) });
        using MlaBatch<T> batch = cache.CreateBatch(executor);
        var step = new StepContext(batch, T.Definition);
        var tiles = KeyTiles.Of(step, core);
        WorkerSpace space = step.Worker(0);
        space.Keys.Reserve(core.KeyLength);
        space.Values.Reserve(core.ValueLength);
        tiles.Reserve(space, heads: 1);
        float[] queries = new float[layout.QueryPanel * shape.QkHeadDim];
        float[] packed = new float[layout.QueryPanel * core.QueryFloats(shape)];
        float[] sums = new float[layout.QueryTile * core.SumFloats(shape)];
        float[] output = new float[layout.QueryTile * shape.VHeadDim];
        byte[] rows = new byte[ProjectionKernels.TiledRows * shape.CacheRowElements * sizeof(float)];
        tiles.PackQueries(ref queries[0], shape.QkHeadDim, layout.QueryPanel, scale: 1, ref packed[0], space);
        foreach (PanelProducts format in PanelFormats.All)
        {
            if (format.IsStored)
            {
                var matrix = PackedMatrix.Pack(
                    shape.QkNopeHeadDim + shape.VHeadDim, shape.KvLoraRank, format.Type, static (_, _, destination) => destination.Clear(), shape.QkNopeHeadDim, shape.VHeadDim);
                tiles.TakeHeads(matrix, 0, 1, space);
                ref byte taken = ref tiles.TakeRows(ref rows[0], ProjectionKernels.TiledRows, space);
                tiles.Decompress(matrix, ref taken, ProjectionKernels.TiledRows, 0, 0, space);
            }
        }

        tiles.AreValuesFinite(0, 1, space);
        tiles.ValuesBefore(1, space);
        tiles.CopySums(0, ref sums[0], ref sums[0]);
        tiles.Divide(ref sums[0], new float[layout.QueryTile], ref output[0], shape.VHeadDim);
    }

    /// <summary>The stages of a layer, for weights of one type: both forms, few rows and many, one sequence and a tree.</summary>
    private static void Forward(WarmupLayer layer, MlaPrecision precision, MlaExecutor executor)
    {
        // Pages that are no whole blocks: rows are then gathered as well as read where they lie.
        using var cache = new LatentCache<WarmupLayer>(layers: 1, maxTokens: 64, new LatentCacheOptions { Name = nameof(Warmup), PageTokens = CacheLayout.Of<WarmupLayer>().PageTokens + 1, Precision = precision });
        using LatentSequence sequence = cache.CreateSequence();
        using MlaBatch<WarmupLayer> batch = cache.CreateBatch(executor);
        float[] hidden = new float[ManyTokens * WarmupLayer.Shape.HiddenSize];
        Step(MlaForm.Absorbed, ManyTokens);
        Step(MlaForm.Absorbed, 1);
        Step(MlaForm.Decompressed, ManyTokens);
        Step(MlaForm.Auto, 1);
        Step(MlaForm.Decompressed, ManyTokens);
        Step(MlaForm.Auto, ManyTokens);
        batch.Add(sequence, 2, parents: [-1, -1]);
        Run();

        void Step(MlaForm form, int tokens)
        {
            batch.Form = form;
            batch.Add(sequence, tokens);
            Run();
            batch.Commit();
        }

        void Run()
        {
            Span<float> rows = hidden.AsSpan(0, batch.Rows * WarmupLayer.Shape.HiddenSize);
            layer.Forward(batch, rows, rows);
        }
    }
}
