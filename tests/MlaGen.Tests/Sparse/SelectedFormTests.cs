using MlaGen.Runtime;
using MlaGen.Tests.Attention;
using MlaGen.Tests.Golden;
using MlaGen.Tests.Oracles;

namespace MlaGen.Tests.Sparse;

/// <summary>Rows that select, in the decompressed form: over several tiles of keys, of which each row attends to a few, whoever else selects what.</summary>
public sealed class SelectedFormTests
{
    /// <summary>Two tiles of keys and a part of one.</summary>
    private const int Tokens = 530;
    private const int Cached = 300;

    private static readonly Prompt _prompt = Prompt.Random("selected form", Tokens, SparseTestLayers.Spec.HiddenSize);

    private static readonly OddSparseAttention[] _layers = SparseTestLayers.Layers();

    private static readonly Lazy<SparseResult> _alone = new(() =>
    {
        using SparseRun<OddSparseAttention> run = new(_layers, threads: 1, form: MlaForm.Decompressed);
        return run.Feed(run.CreateSequence(), _prompt);
    });

    [Theory]
    [InlineData(1, 0, 1)]
    [InlineData(2, 64, 33)]
    [InlineData(5, 7, 240)]
    [InlineData(5, 0, 461)]
    public void Threads_pages_and_cuts_change_no_bit_and_no_selection(int threads, int pageTokens, int chunk)
    {
        using SparseRun<OddSparseAttention> run = new(_layers, threads, pageTokens, MlaForm.Decompressed);

        run.Feed(run.CreateSequence(), _prompt, chunk).AssertSame(_alone.Value);
    }

    [Fact]
    public void Neighbours_change_no_bit_and_no_selection()
    {
        using SparseRun<OddSparseAttention> run = new(_layers, pageTokens: 16, form: MlaForm.Decompressed);
        LatentSequence sequence = run.CreateSequence();
        LatentSequence neighbour = run.CreateSequence();
        Prompt other = Prompt.Random("selected form, another", 90, _prompt.Width);

        SparseResult first = run.Step(new Chunk(neighbour, other.Slice(0, 50)), new Chunk(sequence, _prompt.Slice(0, 400)));
        SparseResult second = run.Step(new Chunk(sequence, _prompt.Slice(400, 130)), new Chunk(neighbour, other.Slice(50, 40)));

        first.Rows(50, 400).Then(second.Rows(0, 130)).AssertSame(_alone.Value);
    }

    [Fact]
    public void Outputs_are_attention_over_what_is_selected()
    {
        using SparseRun<OddSparseAttention> run = new(_layers, form: MlaForm.Decompressed);
        LatentSequence sequence = run.CreateSequence();
        var weights = OracleWeights.From(SparseTestLayers.Weights("odd sparse 0", hasIndexer: true));

        SparseResult result = run.Feed(sequence, _prompt);

        float[] row = new float[CacheLayout.Of<OddSparseAttention>().RowElements];
        var expected = new List<double>();
        for (int query = 0; query < Tokens; query++)
        {
            var rows = new List<float>();
            foreach (int token in result.Selected[0][query])
            {
                sequence.ReadRow(0, token, row);
                rows.AddRange(row[..SparseTestLayers.Spec.RowWidth]);
            }

            Prompt own = _prompt.Slice(query, 1);
            expected.AddRange(AbsorbedOracle.Forward(SparseTestLayers.Spec, weights, own.Hidden, own.Positions, rows.ToArray()).Output);
        }

        Assert.All(result.Selected[0].Skip(SparseTestLayers.TopK), static selected => Assert.Equal(SparseTestLayers.TopK, selected.Length));
        Compare.AssertClose<float, double>("output", result.Outputs[0], expected.ToArray(), Tolerance.Float32);
    }

    /// <summary>A token that is no number reaches the rows that select it, each of them, and no other row by a bit; also beside others of their panel.</summary>
    [Theory]
    [InlineData(MlaForm.Absorbed)]
    [InlineData(MlaForm.Decompressed)]
    public void What_is_not_finite_reaches_those_alone_that_select_it(MlaForm form)
    {
        (int[][] selected, float[] clean) = Step([]);
        int[] selectedBySome = [.. selected.SelectMany(static row => row).Where(static token => token < Cached).CountBy(static token => token).Where(static token => token.Value is > 1 and < 20).Take(2).Select(static token => token.Key)];
        int byNobody = Enumerable.Range(0, Cached).Except(selected.SelectMany(static row => row)).First();
        Assert.Equal(2, selectedBySome.Length);

        (_, float[] poisoned) = Step([.. selectedBySome, byNobody]);

        int reached = 0;
        for (int row = 0; row < selected.Length; row++)
        {
            ReadOnlySpan<float> output = Row(poisoned, row);
            if (selected[row].Intersect(selectedBySome).Any())
            {
                Assert.All(output.ToArray(), static value => Assert.True(float.IsNaN(value)));
                reached++;
            }
            else
            {
                Compare.AssertSameBits($"row {row}", output, Row(clean, row));
            }
        }

        Assert.InRange(reached, 2, selected.Length - 2);

        static ReadOnlySpan<float> Row(float[] outputs, int row) => outputs.AsSpan(row * _prompt.Width, _prompt.Width);

        (int[][] Selected, float[] Output) Step(int[] bad)
        {
            int width = CacheLayout.Of<OddSparseAttention>().RowElements;
            float[] rows = CounterRandom.Tensor("selected form/rows", Cached * width, 3);
            foreach (int token in bad)
            {
                rows.AsSpan(token * width, SparseTestLayers.Spec.KvLoraRank).Fill(float.NaN);
            }

            using SparseRun<OddSparseAttention> run = new([_layers[0]], form: form);
            LatentSequence sequence = run.CreateSequence();
            run.Batch.Add(sequence, Cached);
            OddSparseAttention.AppendLatent(run.Batch, 0, rows);
            run.Batch.Commit();
            Prompt step = Prompt.Random("selected form, step", 70, _prompt.Width, start: Cached);
            run.Batch.Add(sequence, step.Tokens, step.Positions);
            float[] output = new float[step.Hidden.Length];
            _layers[0].Forward(run.Batch, step.Hidden, output);
            int[] tokens = new int[Cached];
            return ([.. Enumerable.Range(0, step.Tokens).Select(query => tokens[..run.Batch.ReadSelection(query, tokens)])], output);
        }
    }

    /// <summary>Neighbours that select alike share what is decompressed; those that do not are cheaper on latents, and so are few rows.</summary>
    [Fact]
    public void The_cheaper_form_is_chosen_by_what_neighbours_select_together()
    {
        using SparseRun<OddSparseAttention> run = new(_layers);
        var forms = new SelectedForms(new MlaShape(HiddenSize: 16, Heads: 128, QLoraRank: 16, KvLoraRank: 512, QkNopeHeadDim: 128, QkRopeHeadDim: 64, VHeadDim: 128, MaxPositionEmbeddings: 1 << 17));
        const int Context = 16384;
        const int TopK = 1024;
        LatentSequence sequence = run.CreateSequence();

        Assert.Equal(6144, Choose(6144, static (_, i) => 3 * i));
        Assert.Equal(0, Choose(6144, static (row, i) => (i * (Context / TopK)) + (row % (Context / TopK))));
        Assert.Equal(0, Choose(1, static (_, i) => 3 * i));

        // The first half alike, the second one not.
        Assert.Equal(3072, Choose(6144, static (row, i) => row < 3072 ? 3 * i : (i * (Context / TopK)) + (row % (Context / TopK))));

        int Choose(int rows, Func<int, int, int> token)
        {
            var selection = new TokenSelection();
            selection.Begin(rows, rows, TopK);
            for (int row = 0; row < rows; row++)
            {
                Span<int> tokens = selection.Place(row, row, TopK);
                for (int i = 0; i < TopK; i++)
                {
                    tokens[i] = token(row, i);
                }
            }

            return forms.Decompressed(new BatchEntry(sequence, FirstRow: 0, Queries: rows, NewTokens: rows, Keys: Context + rows), selection);
        }
    }
}
