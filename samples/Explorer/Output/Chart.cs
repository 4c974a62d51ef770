using System.Globalization;
using Samples;
using ScottPlot;

namespace Explorer.Output;

/// <summary>Measurements as a picture: bars of what was reached, or lines over the context where there are several.</summary>
internal static class Chart
{
    private const int Width = 1000;
    private const int Height = 600;
    private const float BoundMarkerSize = 14;

    /// <summary>Refuses a file before anything is measured for it.</summary>
    public static void CheckFile(string file)
    {
        if (Path.GetExtension(file).ToLowerInvariant() is not (".svg" or ".png"))
        {
            throw new UserException($"--plot takes a file that ends in .svg or .png, not '{file}'");
        }

        NamedFiles.CheckWritable("--plot", file);
    }

    public static void Save(string title, IReadOnlyList<Measurement> measurements, string file)
    {
        using Plot plot = new();
        plot.Title(title);
        if (measurements.GroupBy(static m => m.Kernel).Any(static kernel => kernel.DistinctBy(static m => (m.Context, m.Heads)).Count() > 2 && kernel.All(static m => m.TokensPerSecond is not null)))
        {
            DrawLines(plot, measurements);
        }
        else
        {
            DrawBars(plot, measurements);
        }

        if (Path.GetExtension(file).Equals(".svg", StringComparison.OrdinalIgnoreCase))
        {
            plot.SaveSvg(file, Width, Height);
        }
        else
        {
            plot.SavePng(file, Width, Height);
        }
    }

    /// <summary>Milliseconds a token over the context, both axes logarithmic: a power is a straight line, and a crossing is the crossover.</summary>
    private static void DrawLines(Plot plot, IReadOnlyList<Measurement> measurements)
    {
        foreach (IGrouping<string, Measurement> kernel in measurements.GroupBy(static m => m.Kernel))
        {
            double[] contexts = [.. kernel.Select(static m => Math.Log2(m.Context!.Value))];
            double[] times = [.. kernel.Select(static m => Math.Log10(m.Ms))];
            plot.Add.Scatter(contexts, times).LegendText = kernel.Key;
        }

        Measurement[] memory = [.. measurements.Where(static m => m.BoundBy == "memory")];
        if (memory.Length > 0)
        {
            double[] contexts = [.. memory.Select(static m => Math.Log2(m.Context!.Value))];
            double[] times = [.. memory.Select(static m => Math.Log10(m.Ms))];
            plot.Add.Markers(contexts, times, MarkerShape.OpenCircle, BoundMarkerSize, Colors.Black).LegendText = "bound by memory, else by arithmetic";
        }

        plot.ShowLegend(Alignment.UpperLeft);
        int[] ticks = [.. measurements.Select(static m => m.Context!.Value).Distinct().Order()];
        plot.Axes.Bottom.SetTicks([.. ticks.Select(static context => Math.Log2(context))], [.. ticks.Select(static context => context.ToString(CultureInfo.InvariantCulture))]);
        int lowest = (int)Math.Floor(Math.Log10(measurements.Min(static m => m.Ms)));
        int highest = (int)Math.Ceiling(Math.Log10(measurements.Max(static m => m.Ms)));
        int[] powers = [.. Enumerable.Range(lowest, highest - lowest + 1)];
        plot.Axes.Left.SetTicks([.. powers.Select(static power => (double)power)], [.. powers.Select(static power => Math.Pow(10, power).ToString(CultureInfo.InvariantCulture))]);
        plot.Axes.SetLimitsY(lowest, highest);
        plot.XLabel("cached tokens");
        plot.YLabel("milliseconds a token");
    }

    /// <summary>The share of the FMA peak, or of the DRAM bandwidth where that is the limit.</summary>
    private static void DrawBars(Plot plot, IReadOnlyList<Measurement> measurements)
    {
        for (int i = 0; i < measurements.Count; i++)
        {
            Bar bar = new() { Position = i, Value = 100 * Share(measurements[i]), FillColor = Colors.SteelBlue };
            bar.Label = bar.Value.ToString("0.0", CultureInfo.InvariantCulture) + " %";
            plot.Add.Bar(bar);
        }

        plot.Axes.Bottom.SetTicks([.. Enumerable.Range(0, measurements.Count).Select(static i => (double)i)], [.. measurements.Select(Label)]);
        plot.Axes.SetLimitsY(0, 110);
        plot.YLabel("% of the FMA peak, or of DRAM bandwidth where that is nearer");
    }

    private static double Share(Measurement measurement) => Math.Max(measurement.ShareOfPeak, measurement.ShareOfDram ?? 0);

    private static string Label(Measurement measurement) => measurement.Heads is { } heads
        ? string.Create(CultureInfo.InvariantCulture, $"{measurement.Kernel}\n{Counted.Of(heads, "head")}, {measurement.Context}\n{Counted.Of(measurement.Threads, "thread")}")
        : measurement.Kernel;
}
