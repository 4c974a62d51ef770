using MlaGen.Tests.Attention;
using MlaGen.Tests.Golden;
using MlaGen.Tests.Oracles;

namespace MlaGen.Tests.Sparse;

/// <summary>The parts of sparse attention by themselves, for engines that own their projections: scores, selection, attention to a list.</summary>
public sealed class SelectedAttentionTests
{
    private const int Tokens = 200;
    private const int Queries = 3;

    private static readonly OracleSpec _spec = SparseTestLayers.Spec;

    private static readonly int _width = CacheLayout.Of<OddSparseAttention>().RowElements;

    private static readonly float[] _rows = CounterRandom.Tensor("selected/rows", Tokens * _width, 3);

    private static readonly float[] _queries = CounterRandom.Tensor("selected/queries", Queries * _spec.Heads * _spec.RowWidth, 2);

    [Fact]
    public void Attention_to_a_list_is_attention_to_a_sequence_of_these_tokens()
    {
        int[][] lists = [[0, 3, 4, 5, 90, 197], [], [.. Enumerable.Range(0, Tokens)]];
        (float[] output, float[] logSumExp) = Attend(_rows, lists);

        for (int query = 0; query < Queries; query++)
        {
            float[] selected = [.. lists[query].SelectMany(token => _rows[(token * _width)..((token + 1) * _width)])];
            using LatentCache<OddSparseAttention> cache = new(1, Tokens);
            using LatentSequence sequence = cache.CreateSequence();
            using MlaBatch<OddSparseAttention> batch = cache.CreateBatch();
            if (selected.Length > 0)
            {
                batch.Add(sequence, lists[query].Length);
                OddSparseAttention.AppendLatent(batch, 0, selected);
                batch.Commit();
            }

            batch.AddQueries(sequence, 1);
            float[] expected = new float[_spec.Heads * _spec.KvLoraRank];
            float[] expectedLogSumExp = new float[_spec.Heads];
            OddSparseAttention.AttendLatent(batch, 0, _queries.AsSpan(query * _spec.Heads * _spec.RowWidth, _spec.Heads * _spec.RowWidth), expected, expectedLogSumExp);

            Compare.AssertSameBits("output", output.AsSpan(query * expected.Length, expected.Length), expected);
            Compare.AssertSameBits("log-sum-exp", logSumExp.AsSpan(query * _spec.Heads, _spec.Heads), expectedLogSumExp);
        }
    }

    /// <summary>Neither by zeros nor otherwise: what is not selected may be no number at all.</summary>
    [Fact]
    public void What_is_not_selected_touches_no_sum()
    {
        int[][] lists = [[1, 2, 60], [0, 199 - 1], [7]];
        float[] poisoned = [.. _rows];
        foreach (int token in Enumerable.Range(0, Tokens).Except(lists.SelectMany(static list => list)))
        {
            poisoned.AsSpan(token * _width, _width).Fill(float.NaN);
        }

        Compare.AssertSameBits("output", Attend(poisoned, lists).Output, Attend(_rows, lists).Output);
    }

    [Fact]
    public void Parts_of_a_selection_merge_to_the_whole()
    {
        int[] whole = [.. Enumerable.Range(0, 150)];
        (float[] output, float[] logSumExp) = Attend(_rows, [whole, whole, whole]);
        (float[] first, float[] firstLogSumExp) = Attend(_rows, [whole[..70], whole[..1], []]);
        (float[] second, float[] secondLogSumExp) = Attend(_rows, [whole[70..], whole[1..], whole]);

        LogSumExp.Merge(first, firstLogSumExp, second, secondLogSumExp);

        Compare.AssertClose<float, float>("output", first, output, Tolerance.Float32);
        Compare.AssertClose<float, float>("log-sum-exp", firstLogSumExp, logSumExp, Tolerance.LogSumExp);
    }

    [Fact]
    public void Scores_are_those_of_the_formula()
    {
        float[] indexQueries = CounterRandom.Tensor("selected/index queries", Queries * SparseTestLayers.IndexHeads * SparseTestLayers.IndexHeadDim, 2);
        float[] weights = CounterRandom.Tensor("selected/weights", Queries * SparseTestLayers.IndexHeads, 2);
        float[] scores = new float[Queries * (Tokens + 5)];
        Run(_rows, batch => OddSparseAttention.IndexScores(batch, 0, indexQueries, weights, scores));

        for (int query = 0; query < Queries; query++)
        {
            ReadOnlySpan<float> row = scores.AsSpan(query * (Tokens + 5), Tokens + 5);
            int visible = Tokens - Queries + query + 1;
            double[] own = OracleMath.Widen(indexQueries.AsSpan(query * SparseTestLayers.IndexHeads * SparseTestLayers.IndexHeadDim, SparseTestLayers.IndexHeads * SparseTestLayers.IndexHeadDim));
            double[] ownWeights = OracleMath.Widen(weights.AsSpan(query * SparseTestLayers.IndexHeads, SparseTestLayers.IndexHeads));
            double[] expected = [.. Enumerable.Range(0, visible).Select(token => SparseTestLayers.Oracle.Score(own, ownWeights, OracleMath.Widen(_rows.AsSpan(((token + 1) * _width) - SparseTestLayers.IndexHeadDim, SparseTestLayers.IndexHeadDim))))];
            Compare.AssertClose<float, double>("scores", row[..visible], expected, Tolerance.Float32);
            Assert.All(row[visible..].ToArray(), static score => Assert.Equal(float.NegativeInfinity, score));
        }
    }

    [Theory]
    [InlineData(new[] { 5, 5 }, "selects token 5 behind 5")]
    [InlineData(new[] { 6, 5 }, "selects token 5 behind 6")]
    [InlineData(new[] { 5, 198 }, "selects token 198, which it does not see")]
    [InlineData(new[] { -2, 5 }, "selects token -2, which it does not see")]
    [InlineData(new[] { 5, -1, 6 }, "has tokens behind a -1")]
    public void A_selection_that_cannot_be_is_refused(int[] tokens, string because)
    {
        Assert.Contains(because, Assert.Throws<ArgumentException>(() => Attend(_rows, [tokens, [], []])).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Spans_of_other_lengths_are_refused()
    {
        float[] output = new float[Queries * _spec.Heads * _spec.KvLoraRank];
        float[] logSumExp = new float[Queries * _spec.Heads];
        Run(_rows, batch =>
        {
            Assert.Throws<ArgumentException>(() => OddSparseAttention.AttendLatent(batch, 0, _queries, new int[Queries + 1], output, logSumExp));
            Assert.Throws<ArgumentException>(() => OddSparseAttention.AttendLatent(batch, 0, _queries, ReadOnlySpan<int>.Empty, output, logSumExp));
            Assert.Throws<ArgumentException>(() => OddSparseAttention.IndexScores(batch, 0, new float[Queries * 21 * 48], new float[Queries * 21], new float[Queries * (Tokens - 1)]));
            Assert.Throws<ArgumentException>(() => OddSparseAttention.IndexScores(batch, 0, new float[Queries * 21 * 48], new float[Queries * 20], new float[Queries * Tokens]));
            Assert.Throws<ArgumentOutOfRangeException>(() => batch.ReadSelection(Queries, new int[1]));
            Assert.Throws<InvalidOperationException>(() => batch.ReadSelection(0, new int[1]));
        });
    }

    [Fact]
    public void A_class_without_an_indexer_has_no_scores_but_attends_to_lists()
    {
        using LatentCache<OddDenseAttention> cache = new(1, 8);
        using LatentSequence sequence = cache.CreateSequence();
        using MlaBatch<OddDenseAttention> batch = cache.CreateBatch();
        batch.Add(sequence, 2);
        float[] rows = CounterRandom.Tensor("dense rows", 2 * _spec.RowWidth, 2);
        OddDenseAttention.AppendLatent(batch, 0, rows);
        batch.Commit();
        batch.AddQueries(sequence, 1);
        float[] output = new float[_spec.Heads * _spec.KvLoraRank];

        OddDenseAttention.AttendLatent(batch, 0, _queries.AsSpan(0, _spec.Heads * _spec.RowWidth), [1], output, new float[_spec.Heads]);

        Compare.AssertSameBits("one token", output.AsSpan(0, _spec.KvLoraRank), rows.AsSpan(_spec.RowWidth, _spec.KvLoraRank));
        Assert.Throws<InvalidOperationException>(() => Scores<OddDenseAttention>(batch));
    }

    private static void Scores<T>(MlaBatch<T> batch)
        where T : class, IMlaAttention<T> => T.IndexScores(batch, 0, default, default, default);

    private static (float[] Output, float[] LogSumExp) Attend(float[] rows, int[][] lists)
    {
        int most = Math.Max(1, lists.Max(static list => list.Length));
        int[] selected = [.. lists.SelectMany(list => list.Concat(Enumerable.Repeat(-1, most - list.Length)))];
        float[] output = AttentionRun.Poisoned(Queries * _spec.Heads * _spec.KvLoraRank);
        float[] logSumExp = AttentionRun.Poisoned(Queries * _spec.Heads);

        // The last row sees all tokens, so lists are given to rows that see them.
        Run(rows, batch => OddSparseAttention.AttendLatent(batch, 0, _queries, selected, output, logSumExp));
        return (output, logSumExp);
    }

    private static void Run(float[] rows, Action<MlaBatch<OddSparseAttention>> action)
    {
        using LatentCache<OddSparseAttention> cache = new(1, Tokens, new LatentCacheOptions { PageTokens = 32 });
        using LatentSequence sequence = cache.CreateSequence();
        using MlaBatch<OddSparseAttention> batch = cache.CreateBatch();
        batch.Add(sequence, Tokens);
        OddSparseAttention.AppendLatent(batch, 0, rows);
        batch.Commit();
        batch.AddQueries(sequence, Queries);
        action(batch);
    }
}
