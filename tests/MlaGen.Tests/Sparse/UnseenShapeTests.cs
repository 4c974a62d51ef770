using MlaGen.Tests.Attention;
using MlaGen.Tests.Golden;
using MlaGen.Tests.Oracles;

namespace MlaGen.Tests.Sparse;

/// <summary>A layer of dimensions that no published model has against formulas in double precision, in every format and form, however its tokens come in.</summary>
public abstract class UnseenShapeTests<TAttention>
    where TAttention : class, IUnseenLayer<TAttention>
{
    private const int Tokens = 60;
    private const string Prefix = "model.layers.0.self_attn.";

    private static readonly Prompt _prompt = Prompt.Random("unseen", Tokens, TAttention.Formulas.Spec.HiddenSize);

    private static readonly Dictionary<string, WeightTensor> _weights = TAttention.Formulas.Weights(typeof(TAttention).Name);

    private static readonly TAttention _layer = TAttention.Load(SparseTestLayers.Checkpoint(_weights, Prefix), Prefix, 0);

    public static TheoryData<CacheFormat, MlaForm> FormatsAndForms
    {
        get
        {
            TheoryData<CacheFormat, MlaForm> data = [];
            foreach (CacheFormat format in Enum.GetValues<CacheFormat>())
            {
                data.Add(format, MlaForm.Absorbed);
                data.Add(format, MlaForm.Decompressed);
                data.Add(format, MlaForm.Auto);
            }

            return data;
        }
    }

    [Theory]
    [MemberData(nameof(FormatsAndForms))]
    public void A_prompt_selects_and_attends_by_the_formulas(CacheFormat format, MlaForm form)
    {
        using SparseRun<TAttention> run = Open(format, form);
        LatentSequence sequence = run.CreateSequence();

        AssertFormulas(run.Feed(sequence, _prompt), sequence);
    }

    [Theory]
    [MemberData(nameof(FormatsAndForms))]
    public void Tokens_one_by_one_select_and_attend_by_the_formulas(CacheFormat format, MlaForm form)
    {
        using SparseRun<TAttention> run = Open(format, form);
        LatentSequence sequence = run.CreateSequence();

        AssertFormulas(run.Feed(sequence, _prompt, chunk: 1), sequence);
    }

    [Theory]
    [MemberData(nameof(FormatsAndForms))]
    public void Among_others_and_after_forks_files_and_mistakes_nothing_is_different(CacheFormat format, MlaForm form)
    {
        using SparseRun<TAttention> run = Open(format, form);
        Prompt other = Prompt.Random("unseen, another", 30, _prompt.Width);
        LatentSequence neighbour = run.CreateSequence();
        LatentSequence parent = run.CreateSequence();
        SparseResult result = run.Step(new Chunk(neighbour, other.Slice(0, 11)), new Chunk(parent, _prompt.Slice(0, 20))).Rows(11, 20);
        using LatentSequence fork = parent.Fork();
        run.Feed(parent, other);
        result = result.Then(run.Step(new Chunk(fork, _prompt.Slice(20, 13)), new Chunk(neighbour, other.Slice(11, 1))).Rows(0, 13));
        run.Feed(fork, other.Slice(0, 7));
        fork.Truncate(33);
        run.Batch.Add(fork, 4);
        run.Forward(other.Slice(0, 4).Hidden);
        run.Batch.Rollback();
        string path = Path.Combine(Path.GetTempPath(), $"mlagen-{Guid.NewGuid():n}.mlacache");
        try
        {
            run.Cache.Save(path, new SavedSequence(fork, default));
            using SparseRun<TAttention> later = Open(format, form);
            using LatentSequence loaded = later.Cache.Load(path)[0].Sequence;

            AssertFormulas(result.Then(later.Feed(loaded, _prompt.Slice(33, Tokens - 33), chunk: 8)), loaded);
        }
        finally
        {
            File.Delete(path);
        }
    }

    /// <summary>The committed tokens and then a path through the tree are a sequence of their own.</summary>
    [Theory]
    [InlineData(CacheFormat.Float32)]
    [InlineData(CacheFormat.Int8)]
    public void Each_path_through_a_tree_selects_and_attends_by_the_formulas(CacheFormat format)
    {
        int[] path = [0, 1, 3];
        using SparseRun<TAttention> run = Open(format, MlaForm.Absorbed);
        LatentSequence sequence = run.CreateSequence();
        SparseResult result = run.Feed(sequence, _prompt.Slice(0, 40));
        Prompt elsewhere = Prompt.Random("unseen, elsewhere", 2, _prompt.Width);
        float[] hidden = [.. _prompt.Slice(40, 2).Hidden, .. elsewhere.Slice(0, 1).Hidden, .. _prompt.Slice(42, 1).Hidden, .. elsewhere.Slice(1, 1).Hidden];
        run.Batch.Add(sequence, 5, [40, 41, 41, 42, 42], [-1, 0, 0, 1, 2]);
        SparseResult tree = run.Forward(hidden);
        run.Batch.Accept(sequence, path);
        run.Batch.Commit();

        // Tokens of the path are counted in the tree as long as it is one.
        foreach (int token in path)
        {
            SparseResult row = tree.Rows(token, 1);
            row.Selected[0][0] = [.. row.Selected[0][0].Select(selected => selected < 40 ? selected : 40 + Array.IndexOf(path, selected - 40))];
            result = result.Then(row);
        }

        AssertFormulas(result.Then(run.Feed(sequence, _prompt.Slice(43, Tokens - 43))), sequence);
    }

    [Theory]
    [InlineData(MlaForm.Absorbed, 1, 0, 7)]
    [InlineData(MlaForm.Absorbed, 2, 1, int.MaxValue)]
    [InlineData(MlaForm.Absorbed, 5, 7, 1)]
    [InlineData(MlaForm.Decompressed, 1, 0, 7)]
    [InlineData(MlaForm.Decompressed, 2, 1, 33)]
    [InlineData(MlaForm.Decompressed, 5, 7, 1)]
    public void Threads_pages_cuts_and_neighbours_change_no_bit_and_no_selection(MlaForm form, int threads, int pageTokens, int chunk)
    {
        using SparseRun<TAttention> alone = new([_layer], threads: 1, form: form);
        SparseResult expected = alone.Feed(alone.CreateSequence(), _prompt);
        using SparseRun<TAttention> run = new([_layer], threads, pageTokens, form);
        Prompt other = Prompt.Random("unseen, another", 40, _prompt.Width);
        LatentSequence neighbour = run.CreateSequence();
        LatentSequence sequence = run.CreateSequence();

        SparseResult first = run.Step(new Chunk(neighbour, other.Slice(0, 29)), new Chunk(sequence, _prompt.Slice(0, 31))).Rows(29, 31);
        SparseResult second = run.Step(new Chunk(sequence, _prompt.Slice(31, 2)), new Chunk(neighbour, other.Slice(29, 11))).Rows(0, 2);

        first.Then(second).Then(run.Feed(sequence, _prompt.Slice(33, Tokens - 33), chunk)).AssertSame(expected);
        run.Feed(run.CreateSequence(), _prompt, chunk).AssertSame(expected);
    }

    private static SparseRun<TAttention> Open(CacheFormat format, MlaForm form) => new([_layer], threads: 3, pageTokens: 7, form: form, format: format);

    /// <summary>That every row selects by the index keys that the cache has, and attends to the rows that it has of those tokens.</summary>
    private static void AssertFormulas(SparseResult result, LatentSequence sequence)
    {
        IndexOracle oracle = TAttention.Formulas.Indexer;
        int width = CacheLayout.Of<TAttention>().RowElements;
        int attended = TAttention.Formulas.Spec.RowWidth;
        float[][] rows = [.. Enumerable.Range(0, Tokens).Select(token =>
        {
            float[] row = new float[width];
            sequence.ReadRow(0, token, row);
            return row;
        })];
        double[][] keys = [.. rows.Select(row => OracleMath.Widen(row.AsSpan(attended, oracle.HeadDim)))];
        if (sequence.Pool.Layout.Format == CacheFormat.Float32)
        {
            double[] expectedKeys = [.. oracle.Keys(_weights, _prompt.Hidden, _prompt.Positions).SelectMany(static key => key)];
            Compare.AssertClose<float, double>("index keys", rows.SelectMany(row => row[attended..(attended + oracle.HeadDim)]).ToArray(), expectedKeys, Tolerance.Float32);
        }

        int size = Math.Max(1, TAttention.Formulas.PoolTokens);
        if (TAttention.Formulas.PoolTokens > 0)
        {
            double[][] gates = [.. rows.Select(row => OracleMath.Widen(row.AsSpan(attended + oracle.HeadDim, oracle.HeadDim)))];
            keys = IndexOracle.Pool(keys, gates, _weights["indexer.index_kpool_compress_ape"].Values);
        }

        double[][] queries = oracle.Queries(_weights, _prompt.Hidden, _prompt.Positions);
        double[][] headWeights = oracle.HeadWeights(_weights, _prompt.Hidden);
        var weights = OracleWeights.From(_weights);
        var expected = new List<double>();
        for (int query = 0; query < Tokens; query++)
        {
            // Whole pools, and the tokens behind the last one.
            int whole = (query + 1) / size;
            IEnumerable<int> highest = Enumerable.Range(0, whole).OrderByDescending(key => oracle.Score(queries[query], headWeights[query], keys[key])).ThenBy(static key => key).Take(oracle.TopK / size).Order();
            int[] selected = [.. highest.SelectMany(key => Enumerable.Range(key * size, size)), .. Enumerable.Range(whole * size, query + 1 - (whole * size))];
            Assert.Equal(selected, result.Selected[0][query]);
            Prompt own = _prompt.Slice(query, 1);
            expected.AddRange(AbsorbedOracle.Forward(TAttention.Formulas.Spec, weights, own.Hidden, own.Positions, selected.SelectMany(token => rows[token][..attended]).ToArray()).Output);
        }

        Compare.AssertClose<float, double>("output", result.Outputs[0], expected.ToArray(), Tolerance.Float32);
    }
}

public sealed class UnseenSparseShapeTests : UnseenShapeTests<UnseenSparseAttention>;

public sealed class OneIndexHeadShapeTests : UnseenShapeTests<OneIndexHeadAttention>;

public sealed class WideIndexHeadsShapeTests : UnseenShapeTests<WideIndexHeadsAttention>;

public sealed class ManyIndexHeadsShapeTests : UnseenShapeTests<ManyIndexHeadsAttention>;

public sealed class RopelessPoolShapeTests : UnseenShapeTests<RopelessPoolAttention>;

public sealed class RotatedPoolShapeTests : UnseenShapeTests<RotatedPoolAttention>;

public sealed class UnseenHy4ShapeTests : UnseenShapeTests<UnseenHy4Attention>;
