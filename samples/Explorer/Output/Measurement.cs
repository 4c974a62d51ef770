using System.Text.Json.Serialization;
using Explorer.Measuring;
using MlaGen;

namespace Explorer.Output;

/// <summary>What was measured of one kernel: a line of JSON, or a row of a table.</summary>
internal sealed record Measurement
{
    public required string Kernel { get; init; }

    public string Tier { get; } = SimdTiers.Current.ToString();

    public int? Heads { get; init; }

    public int? Context { get; init; }

    public required int Threads { get; init; }

    /// <summary>Element type of the cache.</summary>
    public string? Cache { get; init; }

    public required double Ms { get; init; }

    public required double Gflops { get; init; }

    public required double FmaPeakGflops { get; init; }

    public required double ShareOfPeak { get; init; }

    public required double GigabytesPerSecond { get; init; }

    public required double Spread { get; init; }

    public string? Model { get; init; }

    public int? Batch { get; init; }

    public double? DramGigabytesPerSecond { get; init; }

    public double? ShareOfDram { get; init; }

    /// <summary>Times that differ so much say little: something else was running.</summary>
    [JsonIgnore]
    public bool IsNoisy => Spread > 0.1;

    /// <summary>A kernel beside the FMA peak, both from the median round.</summary>
    public static Measurement Of(Rounds rounds, Workload kernel, FmaPeak peak, int threads)
    {
        RoundTimes median = rounds.Median(kernel, peak);
        double gflops = kernel.Operations / median.Seconds / 1e9;
        double peakGflops = peak.Operations / median.ReferenceSeconds / 1e9;
        return new Measurement
        {
            Kernel = kernel.Kernel,
            Threads = threads,
            Ms = Significant(median.Seconds * 1e3),
            Gflops = Significant(gflops),
            FmaPeakGflops = Significant(peakGflops),
            ShareOfPeak = Significant(gflops / peakGflops),
            GigabytesPerSecond = Significant(kernel.Bytes / median.Seconds / 1e9),
            Spread = Significant(median.Spread),
        };
    }

    /// <summary>The same beside the DRAM read bandwidth.</summary>
    public Measurement WithDram(Rounds rounds, Workload kernel, ReadBandwidth dram)
    {
        RoundTimes median = rounds.Median(kernel, dram);
        double bandwidth = dram.Bytes / median.ReferenceSeconds / 1e9;
        return this with
        {
            DramGigabytesPerSecond = Significant(bandwidth),
            ShareOfDram = Significant(kernel.Bytes / median.Seconds / 1e9 / bandwidth),
        };
    }

    /// <summary>Five digits: more would be noise.</summary>
    private static double Significant(double value)
    {
        if (value == 0)
        {
            return 0;
        }

        int decimals = 4 - (int)Math.Floor(Math.Log10(Math.Abs(value)));
        return decimals >= 0 ? Math.Round(value, Math.Min(decimals, 15)) : Math.Round(value);
    }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(Measurement))]
internal sealed partial class MeasurementJson : JsonSerializerContext;
