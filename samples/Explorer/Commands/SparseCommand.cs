using Explorer.Measuring;
using Explorer.Models;
using Explorer.Output;
using MlaGen;
using Samples;

namespace Explorer.Commands;

/// <summary>One decoded token by sparse attention, part by part, beside dense attention in the same rounds, over growing contexts.</summary>
internal static class SparseCommand
{
    /// <summary>Its table.</summary>
    internal static readonly Column[] Columns =
    [
        Column.Kernel, Column.Context, Column.Threads, Column.Milliseconds, Column.ShareOfStep, Column.OverDense, Column.TokensPerSecond,
        Column.ShareOfPeak, Column.Gigabytes, Column.Spread,
    ];

    private const int ShortestContext = 1024;

    public static void Run(SparseModel model, int longest, MeasurementOptions options, Report report)
    {
        for (int context = Math.Min(ShortestContext, longest); ; context = Math.Min(2 * context, longest))
        {
            Measure(model, context, options, report);
            if (context == longest)
            {
                break;
            }
        }

        report.Note(CompareCommand.Crossover(report.Measurements, SparseDecode.SparseName, SparseDecode.DenseName));
        report.Note(FormattableString.Invariant($"Up to {Counted.Of(model.TopK, "token")} a layer attends to all tokens and scores none: only the steps of whole layers differ there, by the index key."));
        report.Note("Gather is what attention to the selection takes longer than to as many tokens that lie together.");
        report.Note("A layer is a step from hidden state to output on a hidden state of 16: kv_b_proj is all of its projections that counts.");
        report.Show(
            $"One decoded token: sparse and dense attention, {model.Name}, {model.TopK} of all tokens",
            Columns);
    }

    private static void Measure(SparseModel model, int context, MeasurementOptions options, Report report)
    {
        using MlaExecutor executor = new(options.Threads);
        using Crew crew = new(options.Threads);
        FmaPeak peak = new(crew);
        using SparseDecode decode = model.Open(model, context, executor);
        report.WithProgress(Counted.Of(context, "token"), progress =>
        {
            // Sparse first, so that its parts find the selection that they belong to.
            Workload[] sparse = decode.Sparse is null ? [] : [decode.Sparse, .. decode.Parts, decode.InPlace];
            Rounds rounds = Rounds.Run([peak, decode.Dense, .. sparse, decode.DenseLayer, decode.SparseLayer], options.Seconds * 3, progress);
            Add(decode.Dense, decode.Dense);
            if (decode.Sparse is not null)
            {
                Add(decode.Sparse, decode.Dense);
                foreach (Workload part in decode.Parts)
                {
                    RoundTimes ofStep = rounds.Median(part, decode.Sparse);
                    Add(part, decode.Dense, ofStep.Seconds / ofStep.ReferenceSeconds);
                }

                RoundTimes times = rounds.Median(decode.Parts[^1], decode.InPlace);
                double seconds = Math.Max(0, times.Seconds - times.ReferenceSeconds);
                report.Add(Measurement.Of(SparseDecode.GatherName, seconds, 0, peak.Operations / rounds.Median(peak, peak).Seconds / 1e9, options.Threads) with
                {
                    Model = model.Name,
                    Context = context,
                    ShareOfStep = Math.Round(seconds / rounds.Median(decode.Sparse, decode.Dense).Seconds, 3),
                });
            }

            Add(decode.DenseLayer, decode.DenseLayer);
            Add(decode.SparseLayer, decode.DenseLayer);

            void Add(Workload workload, Workload dense, double? share = null)
            {
                Measurement measurement = Measurement.Of(rounds, workload, peak, options.Threads) with { Model = model.Name, Context = context, ShareOfStep = share };
                report.Add(share is null ? measurement with { TokensPerSecond = 1e3 / measurement.Ms, OverDense = Over(rounds.Median(workload, dense)) } : measurement);
            }

            static double Over(RoundTimes times) => times.ReferenceSeconds / times.Seconds;
        });
    }
}
