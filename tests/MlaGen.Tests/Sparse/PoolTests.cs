using MlaGen.Tests.Attention;
using MlaGen.Tests.Golden;
using MlaGen.Tests.Oracles;

namespace MlaGen.Tests.Sparse;

/// <summary>A layer whose index keys are pooled, of dimensions that are not round.</summary>
public sealed class PoolTests
{
    private const int Tokens = 88;
    private const int PoolTokens = OddPoolAttention.IndexPoolTokens;
    private const int Pools = OddPoolAttention.IndexTopK / PoolTokens;

    private static readonly Prompt _prompt = Prompt.Random("odd pools", Tokens, SparseTestLayers.Spec.HiddenSize);

    private static readonly IndexOracle _oracle = SparseTestLayers.Oracle with { Layout = RopeLayout.HalfSplit, RotatesLast = false, NormEpsilon = 1e-6 };

    private static readonly Dictionary<string, WeightTensor> _weights = Weights();

    internal static OddPoolAttention Layer { get; } = OddPoolAttention.Load(SparseTestLayers.Checkpoint(_weights, SparseTestLayers.Prefix(0)), SparseTestLayers.Prefix(0), 0);

    [Fact]
    public void Selections_are_those_of_the_formulas()
    {
        using SparseRun<OddPoolAttention> run = new([Layer]);

        int[][] selected = run.Feed(run.CreateSequence(), _prompt).Selected[0];

        double[][] keys = PooledKeys();
        double[][] queries = _oracle.Queries(_weights, _prompt.Hidden, _prompt.Positions);
        double[][] headWeights = _oracle.HeadWeights(_weights, _prompt.Hidden);
        for (int query = 0; query < Tokens; query++)
        {
            int whole = (query + 1) / PoolTokens;
            IEnumerable<int> pools = Enumerable.Range(0, whole).OrderByDescending(pool => _oracle.Score(queries[query], headWeights[query], keys[pool])).ThenBy(static pool => pool).Take(Pools).Order();
            int[] expected = [.. pools.SelectMany(static pool => Enumerable.Range(pool * PoolTokens, PoolTokens)), .. Enumerable.Range(whole * PoolTokens, query + 1 - (whole * PoolTokens))];
            Assert.Equal(expected, selected[query]);
        }
    }

    [Theory]
    [InlineData(1, 0, 7)]
    [InlineData(5, 7, 1)]
    [InlineData(2, 64, 33)]
    public void Threads_pages_and_cuts_change_no_bit_and_no_selection(int threads, int pageTokens, int chunk)
    {
        using SparseRun<OddPoolAttention> alone = new([Layer], threads: 1, form: MlaForm.Absorbed);
        using SparseRun<OddPoolAttention> run = new([Layer], threads, pageTokens, MlaForm.Absorbed);

        run.Feed(run.CreateSequence(), _prompt, chunk).AssertSame(alone.Feed(alone.CreateSequence(), _prompt));
    }

    /// <summary>Which tokens make a pool depends on the path: what is kept of a tree makes other pools than the tree itself.</summary>
    [Fact]
    public void A_path_through_a_tree_makes_pools_of_its_own()
    {
        Prompt draft = Prompt.Random("draft", 6, _prompt.Width, start: 63);
        int[] path = [0, 2, 4, 5];
        int[] positions = [63, 64, 64, 65, 65, 66];
        Prompt own = new([.. path.SelectMany(token => draft.Slice(token, 1).Hidden)], [63, 64, 65, 66]);
        using SparseRun<OddPoolAttention> run = new([Layer], form: MlaForm.Absorbed);
        LatentSequence chain = run.CreateSequence();
        run.Feed(chain, _prompt.Slice(0, 63));
        SparseResult expected = run.Feed(chain, own);
        LatentSequence sequence = run.CreateSequence();
        run.Feed(sequence, _prompt.Slice(0, 63));

        run.Batch.Add(sequence, 6, positions, [-1, 0, 0, 1, 2, 4]);
        SparseResult tree = run.Forward(draft.Hidden);
        run.Batch.Accept(sequence, path);
        run.Batch.Commit();

        for (int i = 0; i < path.Length; i++)
        {
            Compare.AssertSameBits("tree", tree.Rows(path[i], 1).Outputs[0], expected.Rows(i, 1).Outputs[0]);
        }

        Prompt next = _prompt.Slice(70, 9);
        run.Feed(sequence, next).AssertSame(run.Feed(chain, next));
    }

    /// <summary>A pool's key stays what it is: rows of whole pools are not read for it again, whatever comes to lie there.</summary>
    [Fact]
    public void The_key_of_a_whole_pool_is_made_once()
    {
        using SparseRun<OddPoolAttention> run = new([Layer], form: MlaForm.Absorbed);
        LatentSequence sequence = run.CreateSequence();
        run.Feed(sequence, _prompt.Slice(0, 60));
        SparseResult expected = run.Feed(sequence, _prompt.Slice(60, 1));
        sequence.Truncate(60);
        for (int token = 0; token < 60; token++)
        {
            sequence.Row(sequence.Pool.Indexed!, 0, token).Fill(0xFF);
        }

        run.Feed(sequence, _prompt.Slice(60, 1)).AssertSame(expected);
        using LatentSequence fork = sequence.Fork();
        run.Batch.Add(fork, 1);
        Exception error = Assert.ThrowsAny<Exception>(() => Layer.Forward(run.Batch, _prompt.Slice(61, 1).Hidden, new float[_prompt.Width]));
        Assert.Contains("is not a number", error.ToString(), StringComparison.Ordinal);
        run.Batch.Rollback();
    }

    /// <summary>What has been made of tokens that are gone is gone with them, wherever in a pool the cut is.</summary>
    [Theory]
    [InlineData(60)]
    [InlineData(62)]
    [InlineData(64)]
    [InlineData(31)]
    public void A_sequence_that_is_cut_back_makes_other_pools(int kept)
    {
        using SparseRun<OddPoolAttention> alone = new([Layer], form: MlaForm.Absorbed);
        LatentSequence whole = alone.CreateSequence();
        alone.Feed(whole, _prompt.Slice(0, kept));
        SparseResult expected = alone.Feed(whole, _prompt.Slice(kept, Tokens - kept), chunk: 9);
        using SparseRun<OddPoolAttention> run = new([Layer], pageTokens: 16, form: MlaForm.Absorbed);
        LatentSequence sequence = run.CreateSequence();
        run.Feed(sequence, _prompt.Slice(0, kept));
        Prompt elsewhere = Prompt.Random("elsewhere", 20, _prompt.Width);
        run.Feed(sequence, elsewhere, chunk: 3);
        using LatentSequence fork = sequence.Fork();
        sequence.Truncate(kept);
        fork.Truncate(kept);
        run.Batch.Add(sequence, 20);
        run.Forward(elsewhere.Hidden);
        run.Batch.Rollback();

        run.Feed(sequence, _prompt.Slice(kept, Tokens - kept), chunk: 9).AssertSame(expected);
        run.Feed(fork, _prompt.Slice(kept, Tokens - kept), chunk: 9).AssertSame(expected);
    }

    [Fact]
    public void Saved_sequences_continue_in_another_cache()
    {
        string path = Path.Combine(Path.GetTempPath(), $"mlagen-{Guid.NewGuid():n}.mlacache");
        try
        {
            using SparseRun<OddPoolAttention> run = new([Layer], form: MlaForm.Absorbed);
            LatentSequence sequence = run.CreateSequence();
            run.Feed(sequence, _prompt.Slice(0, 63));
            run.Cache.Save(path, new SavedSequence(sequence, default));
            using SparseRun<OddPoolAttention> later = new([Layer], form: MlaForm.Absorbed);
            using LatentSequence loaded = later.Cache.Load(path)[0].Sequence;

            later.Feed(loaded, _prompt.Slice(63, 20)).AssertSame(run.Feed(sequence, _prompt.Slice(63, 20)));
        }
        finally
        {
            File.Delete(path);
        }
    }

    private static Dictionary<string, WeightTensor> Weights()
    {
        Dictionary<string, WeightTensor> weights = SparseTestLayers.Weights("odd pools", hasIndexer: true);
        weights.Add("indexer.index_kpool_compress_ape", new([PoolTokens, SparseTestLayers.IndexHeadDim], CounterRandom.Tensor("odd pools/ape", PoolTokens * SparseTestLayers.IndexHeadDim, 2)));
        weights.Add("indexer.index_kpool_compress_gate", new([SparseTestLayers.IndexHeadDim, SparseTestLayers.Spec.HiddenSize], CounterRandom.Matrix("odd pools/gate", SparseTestLayers.IndexHeadDim, SparseTestLayers.Spec.HiddenSize)));
        return weights;
    }

    private static double[][] PooledKeys()
    {
        double[][] keys = _oracle.Keys(_weights, _prompt.Hidden, _prompt.Positions);
        double[][] gates = [.. OracleMath.Linear(OracleMath.Widen(_prompt.Hidden), _prompt.Width, _weights["indexer.index_kpool_compress_gate"].Values).Chunk(SparseTestLayers.IndexHeadDim)];
        return IndexOracle.Pool(keys, gates, _weights["indexer.index_kpool_compress_ape"].Values);
    }
}
