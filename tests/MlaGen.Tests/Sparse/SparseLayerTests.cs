using MlaGen.Tests.Attention;
using MlaGen.Tests.Oracles;

namespace MlaGen.Tests.Sparse;

/// <summary>Layers with a sparse indexer, of dimensions that are not round, against an oracle, and against themselves in other circumstances.</summary>
public sealed class SparseLayerTests
{
    private const int Tokens = 90;

    private static readonly Prompt _prompt = Prompt.Random("odd sparse", Tokens, SparseTestLayers.Spec.HiddenSize);

    private static readonly OddSparseAttention[] _layers = SparseTestLayers.Layers();

    private static readonly Lazy<SparseResult> _alone = new(() =>
    {
        using SparseRun<OddSparseAttention> run = new(_layers, threads: 1, form: MlaForm.Absorbed);
        return run.Feed(run.CreateSequence(), _prompt);
    });

    [Theory]
    [InlineData(MlaForm.Absorbed)]
    [InlineData(MlaForm.Decompressed)]
    public void Selections_and_outputs_are_those_of_the_formulas(MlaForm form)
    {
        Dictionary<string, WeightTensor> weights = SparseTestLayers.Weights("odd sparse 0", hasIndexer: true);
        using SparseRun<OddSparseAttention> run = new(_layers, form: form);
        LatentSequence sequence = run.CreateSequence();

        SparseResult result = run.Feed(sequence, _prompt);

        Assert.Equal(SparseTestLayers.Oracle.Select(weights, _prompt.Hidden, _prompt.Positions), result.Selected[0]);
        Assert.Equal(result.Selected[0], result.Selected[1]);
        AssertOutputs(result, sequence, weights);
        double[][] keys = SparseTestLayers.Oracle.Keys(weights, _prompt.Hidden, _prompt.Positions);
        float[][] rows = [.. Enumerable.Range(0, Tokens).Select(token => Row(sequence, 0, token))];
        Compare.AssertClose<float, double>("index keys", rows.SelectMany(static row => row[^SparseTestLayers.IndexHeadDim..]).ToArray(), keys.SelectMany(static key => key).ToArray(), Tolerance.Float32);
        Assert.All(Row(sequence, 1, 3)[^SparseTestLayers.IndexHeadDim..], static value => Assert.Equal(0, value));
    }

    [Theory]
    [InlineData(CacheFormat.BFloat16)]
    [InlineData(CacheFormat.Float16)]
    [InlineData(CacheFormat.Float8)]
    [InlineData(CacheFormat.Int8)]
    public void Smaller_caches_select_by_what_they_keep(CacheFormat format)
    {
        Dictionary<string, WeightTensor> weights = SparseTestLayers.Weights("odd sparse 0", hasIndexer: true);
        using SparseRun<OddSparseAttention> run = new(_layers, format: format);
        LatentSequence sequence = run.CreateSequence();

        SparseResult result = run.Feed(sequence, _prompt);

        double[][] keys = [.. Enumerable.Range(0, Tokens).Select(token => OracleMath.Widen(Row(sequence, 0, token).AsSpan()[^SparseTestLayers.IndexHeadDim..]))];
        double[][] queries = SparseTestLayers.Oracle.Queries(weights, _prompt.Hidden, _prompt.Positions);
        double[][] headWeights = SparseTestLayers.Oracle.HeadWeights(weights, _prompt.Hidden);
        for (int query = 0; query < Tokens; query++)
        {
            int[] expected = [.. Enumerable.Range(0, query + 1).OrderByDescending(key => SparseTestLayers.Oracle.Score(queries[query], headWeights[query], keys[key])).Take(SparseTestLayers.TopK).Order()];
            Assert.Equal(expected, result.Selected[0][query]);
        }

        AssertOutputs(result, sequence, weights);
    }

    [Theory]
    [InlineData(MlaForm.Absorbed)]
    [InlineData(MlaForm.Decompressed)]
    public void With_few_tokens_every_bit_is_that_of_a_dense_layer(MlaForm form)
    {
        Prompt few = _prompt.Slice(0, SparseTestLayers.TopK);
        using SparseRun<OddSparseAttention> sparse = new(_layers, form: form);
        using AttentionRun dense = AttentionRun.Open(SparseTestLayers.DenseLayers()[0], new RunOptions { Form = form });

        SparseResult result = sparse.Feed(sparse.CreateSequence(), few);

        Compare.AssertSameBits("output", result.Outputs[0], dense.Feed(dense.CreateSequence(), few));
        Assert.Equal(Enumerable.Range(0, SparseTestLayers.TopK), result.Selected[0][^1]);
    }

    [Theory]
    [InlineData(1, 0, 7)]
    [InlineData(2, 1, int.MaxValue)]
    [InlineData(5, 7, 1)]
    [InlineData(5, 64, 20)]
    public void Threads_pages_and_cuts_change_no_bit_and_no_selection(int threads, int pageTokens, int chunk)
    {
        using SparseRun<OddSparseAttention> run = new(_layers, threads, pageTokens, MlaForm.Absorbed);

        run.Feed(run.CreateSequence(), _prompt, chunk).AssertSame(_alone.Value);
    }

    [Fact]
    public void Neighbours_change_no_bit_and_no_selection()
    {
        using SparseRun<OddSparseAttention> run = new(_layers, pageTokens: 16, form: MlaForm.Absorbed);
        LatentSequence sequence = run.CreateSequence();
        LatentSequence neighbour = run.CreateSequence();
        Prompt other = Prompt.Random("neighbour", 60, _prompt.Width);

        SparseResult first = run.Step(new Chunk(neighbour, other.Slice(0, 40)), new Chunk(sequence, _prompt.Slice(0, 50)));
        SparseResult second = run.Step(new Chunk(sequence, _prompt.Slice(50, 39)), new Chunk(neighbour, other.Slice(40, 20)));
        SparseResult third = run.Step(new Chunk(sequence, _prompt.Slice(89, 1)));

        first.Rows(40, 50).Then(second.Rows(0, 39)).Then(third).AssertSame(_alone.Value);
    }

    [Fact]
    public void Of_equal_scores_the_lower_token_is_taken()
    {
        // Weights of zero make zeros of all scores, and negative ones of some products.
        using SparseRun<OddSparseAttention> run = new(SparseTestLayers.Layers(static weights =>
        {
            if (weights.TryGetValue("indexer.weights_proj.weight", out WeightTensor? heads))
            {
                Array.Clear(heads.Values);
            }
        }));

        int[][] selected = run.Feed(run.CreateSequence(), _prompt).Selected[0];

        Assert.All(selected, static row => Assert.Equal(Enumerable.Range(0, row.Length), row));
    }

    [Fact]
    public void Forks_continue_as_their_sequence_would()
    {
        using SparseRun<OddSparseAttention> run = new(_layers, pageTokens: 16, form: MlaForm.Absorbed);
        LatentSequence sequence = run.CreateSequence();
        run.Feed(sequence, _prompt.Slice(0, 70));
        using LatentSequence fork = sequence.Fork();
        run.Feed(sequence, Prompt.Random("elsewhere", 9, _prompt.Width));

        run.Feed(fork, _prompt.Slice(70, 20)).AssertSame(_alone.Value.Rows(70, 20));
    }

    [Fact]
    public void A_truncated_sequence_continues_as_if_nothing_had_been_there()
    {
        using SparseRun<OddSparseAttention> run = new(_layers, form: MlaForm.Absorbed);
        LatentSequence sequence = run.CreateSequence();
        run.Feed(sequence, _prompt.Slice(0, 60));
        run.Feed(sequence, Prompt.Random("elsewhere", 15, _prompt.Width));
        sequence.Truncate(60);

        run.Feed(sequence, _prompt.Slice(60, 30)).AssertSame(_alone.Value.Rows(60, 30));
    }

    [Fact]
    public void A_step_that_is_rolled_back_leaves_nothing()
    {
        using SparseRun<OddSparseAttention> run = new(_layers, form: MlaForm.Absorbed);
        LatentSequence sequence = run.CreateSequence();
        run.Feed(sequence, _prompt.Slice(0, 60));
        run.Batch.Add(sequence, 5);
        run.Forward(Prompt.Random("elsewhere", 5, _prompt.Width).Hidden);
        run.Batch.Rollback();

        run.Batch.Add(sequence, 1);
        Assert.Throws<InvalidOperationException>(() => run.Batch.ReadSelection(0, new int[99]));
        run.Batch.Rollback();
        run.Feed(sequence, _prompt.Slice(60, 30)).AssertSame(_alone.Value.Rows(60, 30));
    }

    [Fact]
    public void A_prefix_is_continued_as_the_prompt_itself()
    {
        using SparseRun<OddSparseAttention> run = new(_layers, pageTokens: 10, form: MlaForm.Absorbed);
        int[] tokens = [.. Enumerable.Range(0, Tokens)];
        using (LatentSequence first = run.CreateSequence())
        {
            run.Feed(first, _prompt.Slice(0, 75));
            run.Cache.Prefixes.Register(first, tokens.AsSpan(0, 75));
        }

        Assert.True(run.Cache.Prefixes.TryStart(tokens, out LatentSequence? second));
        int known = second.Length;

        Assert.Equal(70, known);
        run.Feed(second, _prompt.Slice(known, Tokens - known)).AssertSame(_alone.Value.Rows(known, Tokens - known));
    }

    [Fact]
    public void Saved_sequences_continue_in_another_cache()
    {
        string path = Path.Combine(Path.GetTempPath(), $"mlagen-{Guid.NewGuid():n}.mlacache");
        try
        {
            using (SparseRun<OddSparseAttention> run = new(_layers, form: MlaForm.Absorbed))
            {
                LatentSequence sequence = run.CreateSequence();
                run.Feed(sequence, _prompt.Slice(0, 65));
                run.Cache.Save(path, new SavedSequence(sequence, default));
            }

            using SparseRun<OddSparseAttention> later = new(_layers, form: MlaForm.Absorbed);
            using LatentSequence loaded = later.Cache.Load(path)[0].Sequence;
            later.Feed(loaded, _prompt.Slice(65, 25)).AssertSame(_alone.Value.Rows(65, 25));
        }
        finally
        {
            File.Delete(path);
        }
    }

    /// <summary>Each token of a tree selects among the tokens that it sees, as if its path were a sequence of its own, and what is kept of the tree goes on so.</summary>
    [Fact]
    public void A_path_through_a_tree_selects_as_a_sequence_of_its_own()
    {
        Prompt draft = Prompt.Random("draft", 6, _prompt.Width, start: 65);
        int[] parents = [-1, 0, 0, 1, 2, 4];
        int[] path = [0, 2, 4, 5];
        int[] positions = [65, 66, 66, 67, 67, 68];
        Prompt own = new([.. path.SelectMany(token => draft.Slice(token, 1).Hidden)], [65, 66, 67, 68]);
        using SparseRun<OddSparseAttention> run = new(_layers, form: MlaForm.Absorbed);
        LatentSequence chain = run.CreateSequence();
        run.Feed(chain, _prompt.Slice(0, 60));
        SparseResult expected = run.Feed(chain, own);
        LatentSequence sequence = run.CreateSequence();
        run.Feed(sequence, _prompt.Slice(0, 60));

        run.Batch.Add(sequence, 6, positions, parents);
        SparseResult tree = run.Forward(draft.Hidden);
        run.Batch.Accept(sequence, path);
        run.Batch.Commit();

        for (int i = 0; i < path.Length; i++)
        {
            SparseResult row = tree.Rows(path[i], 1);
            Compare.AssertSameBits("tree", row.Outputs[1], expected.Rows(i, 1).Outputs[1]);
            Assert.Equal(expected.Selected[0][i].Select(token => token < 60 ? token : 60 + path[token - 60]), row.Selected[0][0]);
        }

        Prompt next = _prompt.Slice(70, 4);
        run.Feed(sequence, next).AssertSame(run.Feed(chain, next));
    }

    [Fact]
    public void A_layer_that_shares_comes_after_one_that_selects()
    {
        using SparseRun<OddSparseAttention> run = new(_layers);
        LatentSequence sequence = run.CreateSequence();
        run.Feed(sequence, _prompt.Slice(0, 20));
        run.Batch.Add(sequence, 1);
        string message = Assert.Throws<InvalidOperationException>(() => _layers[1].Forward(run.Batch, _prompt.Slice(0, 1).Hidden, new float[_prompt.Width])).Message;

        Assert.Equal("Layer 1 has no indexer and attends to what an earlier layer of the step has selected; none has: a layer with an indexer comes first.", message);
    }

    [Fact]
    public void A_layer_that_selects_is_not_projected_by_itself()
    {
        using SparseRun<OddSparseAttention> run = new(_layers);
        run.Batch.Add(run.CreateSequence(), 1);
        MlaShape shape = OddSparseAttention.Shape;
        float[] output = new float[shape.HiddenSize];

        string before = Assert.Throws<InvalidOperationException>(() => _layers[0].ProjectLatent(run.Batch, output, new float[shape.Heads * shape.CacheRowElements], new float[shape.CacheRowElements])).Message;
        string after = Assert.Throws<InvalidOperationException>(() => _layers[0].ProjectOutput(run.Batch, new float[shape.Heads * shape.KvLoraRank], output)).Message;

        Assert.StartsWith("OddSparseAttention attends to a selection", before, StringComparison.Ordinal);
        Assert.Contains("ProjectOutput is for classes without one", after, StringComparison.Ordinal);
    }

    [Fact]
    public void The_pattern_says_which_layers_have_an_indexer()
    {
        InMemoryCheckpoint with = SparseTestLayers.Checkpoint(SparseTestLayers.Weights("odd sparse 0", hasIndexer: true), SparseTestLayers.Prefix(1));
        InMemoryCheckpoint without = SparseTestLayers.Checkpoint(SparseTestLayers.Weights("odd sparse 0", hasIndexer: false), SparseTestLayers.Prefix(0));
        InMemoryCheckpoint beyond = SparseTestLayers.Checkpoint(SparseTestLayers.Weights("odd sparse 0", hasIndexer: true), SparseTestLayers.Prefix(3));

        string surplus = Assert.Throws<CheckpointException>(() => OddSparseAttention.Load(with, SparseTestLayers.Prefix(1), 1)).Message;
        string missing = Assert.Throws<CheckpointException>(() => OddSparseAttention.Load(without, SparseTestLayers.Prefix(0), 0)).Message;

        Assert.Contains("by IndexPattern the layer has none", surplus, StringComparison.Ordinal);
        Assert.Contains("'model.layers.0.self_attn.indexer.wq_b.weight' is missing", missing, StringComparison.Ordinal);
        Assert.NotNull(OddSparseAttention.Load(beyond, SparseTestLayers.Prefix(3), 0));
    }

    [Fact]
    public void Some_weights_of_an_indexer_are_not_enough()
    {
        InMemoryCheckpoint checkpoint = SparseTestLayers.Checkpoint(SparseTestLayers.Weights("odd sparse 0", hasIndexer: true), SparseTestLayers.Prefix(0));
        var weights = OddSparseAttention.Weights.Load(checkpoint, SparseTestLayers.Prefix(0));
        var some = new OddSparseAttention.Weights(weights.QAProj, weights.QALayernorm, weights.QBProj, weights.KvAProjWithMqa, weights.KvALayernorm, weights.KvBProj, weights.OProj, weights.IndexerWqB, null, null, null);

        Assert.Throws<ArgumentException>(() => new OddSparseAttention(some, 0));
    }

    [Fact]
    public void A_score_that_is_not_a_number_is_refused()
    {
        using SparseRun<OddSparseAttention> run = new(_layers);
        LatentSequence sequence = run.CreateSequence();
        run.Feed(sequence, _prompt.Slice(0, 40));
        float[] hidden = [.. _prompt.Slice(40, 1).Hidden];
        hidden[3] = float.NaN;
        run.Batch.Add(sequence, 1);

        Exception error = Assert.ThrowsAny<Exception>(() => _layers[0].Forward(run.Batch, hidden, new float[hidden.Length]));

        Assert.Contains("is not a number: nothing can be selected by it", (error as AggregateException)?.InnerException!.Message ?? error.Message, StringComparison.Ordinal);
        run.Batch.Rollback();
        run.Feed(sequence, _prompt.Slice(40, 50));
    }

    private static float[] Row(LatentSequence sequence, int layer, int token)
    {
        float[] row = new float[CacheLayout.Of<OddSparseAttention>().RowElements];
        sequence.ReadRow(layer, token, row);
        return row;
    }

    /// <summary>That each row of the first layer is attention over the cached rows that it has selected.</summary>
    private static void AssertOutputs(SparseResult result, LatentSequence sequence, IReadOnlyDictionary<string, WeightTensor> weights)
    {
        var oracle = OracleWeights.From(weights);
        var expected = new List<double>();
        for (int query = 0; query < Tokens; query++)
        {
            float[] rows = [.. result.Selected[0][query].SelectMany(token => Row(sequence, 0, token)[..SparseTestLayers.Spec.RowWidth])];
            Prompt own = _prompt.Slice(query, 1);
            expected.AddRange(AbsorbedOracle.Forward(SparseTestLayers.Spec, oracle, own.Hidden, own.Positions, rows).Output);
        }

        Compare.AssertClose<float, double>("output", result.Outputs[0], expected.ToArray(), Tolerance.Float32);
    }
}
