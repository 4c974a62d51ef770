using Explorer.Measuring;
using Explorer.Models;
using Explorer.Output;
using MlaGen;
using Samples;

namespace Explorer.Commands;

/// <summary>One decoded token of each sequence of a batch through a whole layer with bf16 weights, and through its projections alone.</summary>
internal static class LayerCommand
{
    /// <summary>Its table.</summary>
    internal static readonly Column[] Columns =
    [
        Column.Kernel, Column.Tier, Column.Heads, Column.Context, Column.Batch, Column.Threads, Column.Milliseconds, Column.Gflops, Column.FmaPeak,
        Column.ShareOfPeak, Column.Gigabytes, Column.Dram, Column.ShareOfDram, Column.Spread,
    ];

    public static void Run(Model model, int context, int batch, MeasurementOptions options, Report report)
    {
        Measure(model, context, batch, options, report);
        report.Show(
            $"Layer: {model.Name}, a batch of {batch}",
            Columns);
    }

    public static void Measure(Model model, int context, int batch, MeasurementOptions options, Report report)
    {
        using MlaExecutor executor = new(options.Threads);
        using Crew crew = new(options.Threads);
        MlaShape shape = model.Layer.Shape;
        FmaPeak peak = new(crew);
        using Workload layer = model.Layer.Forward("layer", Decode(model.Layer, context, batch), executor);
        using Workload projections = new ProjectionWorkload(shape, batch, executor);

        // One token streams the weights, and memory is the limit; many share them, and arithmetic is.
        ReadBandwidth? dram = batch == 1 ? ReadBandwidth.OfDram(crew) : null;
        Workload[] workloads = dram is null ? [peak, layer, projections] : [peak, dram, layer, projections];
        report.WithProgress($"{model.Name} layer, {Counted.Of(context, "token")}, batch {batch}", progress =>
        {
            Rounds rounds = Rounds.Run(workloads, options.Seconds * 2, progress);
            foreach (Workload workload in (Workload[])[layer, projections])
            {
                Measurement measurement = Measurement.Of(rounds, workload, peak, options.Threads) with
                {
                    Heads = shape.Heads,
                    Context = context,
                    Cache = model.Cache,
                    Model = model.Name,
                    Batch = batch,
                };
                report.Add(dram is null ? measurement : measurement.WithDram(rounds, workload, dram));
            }
        });
    }

    /// <summary>One new token of each sequence.</summary>
    public static Step Decode(Attention attention, int context, int batch)
    {
        MlaShape shape = attention.Shape;
        long operations = batch * ((2 * Costs.Weights(shape)) + (Costs.AbsorbedOperationsPerToken(shape) * (context + 1)));
        long bytes = (sizeof(ushort) * Costs.Weights(shape)) + ((long)batch * context * attention.Layout.RowBytes);
        return new Step(batch, context, NewTokens: 1, MlaForm.Absorbed, operations, bytes);
    }
}
