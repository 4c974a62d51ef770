using MlaGen.Tests.Attention;
using Xunit.Abstractions;

namespace MlaGen.Tests.Sparse;

/// <summary>What index keys in fewer bytes cost: how many of the selected tokens are others than with keys of full floats.</summary>
public sealed class FormatSelectionTests(SparseModel<V32LongAttention> model, ITestOutputHelper log) : IClassFixture<SparseModel<V32LongAttention>>
{
    [Theory]
    [InlineData(CacheFormat.BFloat16, 0.01)]
    [InlineData(CacheFormat.Float16, 0.002)]
    [InlineData(CacheFormat.Float8, 0.06)]
    [InlineData(CacheFormat.Int8, 0.02)]
    public void Few_selected_tokens_change(CacheFormat format, double most)
    {
        Prompt prompt = new(model.Case.Hidden, model.Case.Positions);
        int[][] exact = Selected(CacheFormat.Float32);
        int[][] selected = Selected(format);

        int all = 0;
        int changed = 0;
        for (int query = model.Case.TopK; query < prompt.Tokens; query++)
        {
            all += exact[query].Length;
            changed += exact[query].Except(selected[query]).Count();
        }

        log.WriteLine(FormattableString.Invariant($"{format}: {100.0 * changed / all:0.00} % of {all} selected tokens are others"));
        Assert.InRange((double)changed / all, double.Epsilon, most);

        int[][] Selected(CacheFormat format)
        {
            using SparseRun<V32LongAttention> run = new(model.Layers, format: format);
            return run.Feed(run.CreateSequence(), prompt).Selected[0];
        }
    }
}
