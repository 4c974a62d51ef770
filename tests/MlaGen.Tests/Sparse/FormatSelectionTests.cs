using MlaGen.Tests.Attention;
using Xunit.Abstractions;

namespace MlaGen.Tests.Sparse;

/// <summary>What index keys in fewer bytes cost: how many of the selected tokens are others than with keys of full floats.</summary>
public sealed class FormatSelectionTests(FormatSelectionTests.Prompted prompted, ITestOutputHelper log) : IClassFixture<FormatSelectionTests.Prompted>
{
    [Theory]
    [InlineData(CacheFormat.BFloat16, 0.01)]
    [InlineData(CacheFormat.Float16, 0.002)]
    [InlineData(CacheFormat.Float8, 0.06)]
    [InlineData(CacheFormat.Int8, 0.02)]
    public void Few_selected_tokens_change(CacheFormat format, double most)
    {
        int[][] exact = prompted.Exact;
        int[][] selected = prompted.Selected(format);

        int all = 0;
        int changed = 0;
        for (int query = prompted.Model.Case.TopK; query < exact.Length; query++)
        {
            all += exact[query].Length;
            changed += exact[query].Except(selected[query]).Count();
        }

        log.WriteLine(FormattableString.Invariant($"{format}: {100.0 * changed / all:0.00} % of {all} selected tokens are others"));
        Assert.InRange((double)changed / all, double.Epsilon, most);
    }

    /// <summary>What the layer selects over the whole prompt; from full floats once for all formats.</summary>
    public sealed class Prompted
    {
        internal SparseModel<V32LongAttention> Model { get; } = new();

        internal int[][] Exact => field ??= Selected(CacheFormat.Float32);

        internal int[][] Selected(CacheFormat format)
        {
            using SparseRun<V32LongAttention> run = new(Model.Layers, format: format);
            return run.Feed(run.CreateSequence(), new Prompt(Model.Case.Hidden, Model.Case.Positions)).Selected[0];
        }
    }
}
