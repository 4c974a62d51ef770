using MlaGen.Tests.Attention;
using MlaGen.Tests.Golden;
using MlaGen.Tests.Oracles;

namespace MlaGen.Tests.Sparse;

/// <summary>Dimensions that no published model has, the rotary part first and in halves, very few tokens selected.</summary>
[MlaAttention(
    HiddenSize = 56, Heads = 7, QLoraRank = 40, KvLoraRank = 96, QkNopeHeadDim = 21, QkRopeHeadDim = 32, VHeadDim = 13,
    IndexTopK = 5, IndexHeads = 21, IndexHeadDim = 48)]
public sealed partial class UnseenSparseAttention;

/// <summary>A layer of such dimensions against formulas in double precision, in every format and form, however its tokens come in.</summary>
public sealed class UnseenShapeTests
{
    private const int Tokens = 60;
    private const string Prefix = "layer.";

    private static readonly OracleSpec _spec = new()
    {
        HiddenSize = 56,
        Heads = 7,
        QLoraRank = 40,
        KvLoraRank = 96,
        QkNopeHeadDim = 21,
        QkRopeHeadDim = 32,
        VHeadDim = 13,
    };

    private static readonly IndexOracle _oracle = new(
        _spec, UnseenSparseAttention.IndexTopK, UnseenSparseAttention.IndexHeads, UnseenSparseAttention.IndexHeadDim, RopeLayout.HalfSplit, RotatesLast: false, NormEpsilon: 1e-6);

    private static readonly Prompt _prompt = Prompt.Random("unseen", Tokens, _spec.HiddenSize);

    private static readonly Dictionary<string, WeightTensor> _weights = Weights();

    private static readonly UnseenSparseAttention _layer = UnseenSparseAttention.Load(SparseTestLayers.Checkpoint(_weights, Prefix), Prefix, 0);

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
        using SparseRun<UnseenSparseAttention> run = Open(format, form);
        LatentSequence sequence = run.CreateSequence();

        AssertFormulas(run.Feed(sequence, _prompt), sequence);
    }

    [Theory]
    [MemberData(nameof(FormatsAndForms))]
    public void Tokens_one_by_one_select_and_attend_by_the_formulas(CacheFormat format, MlaForm form)
    {
        using SparseRun<UnseenSparseAttention> run = Open(format, form);
        LatentSequence sequence = run.CreateSequence();

        AssertFormulas(run.Feed(sequence, _prompt, chunk: 1), sequence);
    }

    [Theory]
    [MemberData(nameof(FormatsAndForms))]
    public void Among_others_and_after_forks_files_and_mistakes_nothing_is_different(CacheFormat format, MlaForm form)
    {
        using SparseRun<UnseenSparseAttention> run = Open(format, form);
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
            using SparseRun<UnseenSparseAttention> later = Open(format, form);
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
        using SparseRun<UnseenSparseAttention> run = Open(format, MlaForm.Absorbed);
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

    private static SparseRun<UnseenSparseAttention> Open(CacheFormat format, MlaForm form) => new([_layer], threads: 3, pageTokens: 7, form: form, format: format);

    /// <summary>That every row selects by the index keys that the cache has, and attends to the rows that it has of those tokens.</summary>
    private static void AssertFormulas(SparseResult result, LatentSequence sequence)
    {
        int width = CacheLayout.Of<UnseenSparseAttention>().RowElements;
        float[][] rows = [.. Enumerable.Range(0, Tokens).Select(token =>
        {
            float[] row = new float[width];
            sequence.ReadRow(0, token, row);
            return row;
        })];
        double[][] keys = [.. rows.Select(static row => OracleMath.Widen(row.AsSpan()[^UnseenSparseAttention.IndexHeadDim..]))];
        if (sequence.Pool.Layout.Format == CacheFormat.Float32)
        {
            double[] expectedKeys = [.. _oracle.Keys(_weights, _prompt.Hidden, _prompt.Positions).SelectMany(static key => key)];
            Compare.AssertClose<float, double>("index keys", rows.SelectMany(static row => row[^UnseenSparseAttention.IndexHeadDim..]).ToArray(), expectedKeys, Tolerance.Float32);
        }

        double[][] queries = _oracle.Queries(_weights, _prompt.Hidden, _prompt.Positions);
        double[][] headWeights = _oracle.HeadWeights(_weights, _prompt.Hidden);
        var weights = OracleWeights.From(_weights);
        var expected = new List<double>();
        for (int query = 0; query < Tokens; query++)
        {
            int[] selected = [.. Enumerable.Range(0, query + 1).OrderByDescending(key => _oracle.Score(queries[query], headWeights[query], keys[key])).Take(UnseenSparseAttention.IndexTopK).Order()];
            Assert.Equal(selected, result.Selected[0][query]);
            Prompt own = _prompt.Slice(query, 1);
            expected.AddRange(AbsorbedOracle.Forward(_spec, weights, own.Hidden, own.Positions, selected.SelectMany(token => rows[token][.._spec.RowWidth]).ToArray()).Output);
        }

        Compare.AssertClose<float, double>("output", result.Outputs[0], expected.ToArray(), Tolerance.Float32);
    }

    private static Dictionary<string, WeightTensor> Weights()
    {
        Dictionary<string, WeightTensor> weights = RandomLayer.Weights(_spec, "unseen");
        (string Name, int Rows, int Columns)[] matrices = [("wq_b", 21 * 48, _spec.QLoraRank), ("wk", 48, _spec.HiddenSize), ("weights_proj", 21, _spec.HiddenSize)];
        foreach ((string name, int rows, int columns) in matrices)
        {
            weights.Add($"indexer.{name}.weight", new([rows, columns], CounterRandom.Matrix($"unseen/{name}", rows, columns)));
        }

        weights.Add("indexer.k_norm.weight", new([48], CounterRandom.Norm("unseen/k_norm.weight", 48)));
        weights.Add("indexer.k_norm.bias", new([48], CounterRandom.Bias("unseen/k_norm.bias", 48)));
        return weights;
    }
}
