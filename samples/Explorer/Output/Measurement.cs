using System.Text.Json.Serialization;
using Explorer.Measuring;
using Explorer.Models;
using MlaGen;

namespace Explorer.Output;

/// <summary>What was measured of one kernel: a line of JSON, or a row of a table.</summary>
internal sealed record Measurement
{
    public required string Kernel { get; init; }

    public string Tier { get; } = SimdTiers.Current.ToString();

    public int? Heads { get; init; }

    public int? Context { get; init; }

    /// <summary>Query tokens of a sequence, where they are more than one.</summary>
    public int? Queries { get; init; }

    public required int Threads { get; init; }

    /// <summary>Element type of the cache.</summary>
    public string? Cache { get; init; }

    /// <summary>How exactly the kernel multiplies, where it is not as exactly as ever.</summary>
    public string? Precision { get; init; }

    /// <summary>What the core that runs needs of the machine, where a precision was asked for.</summary>
    public string? Core { get; init; }

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

    /// <summary>Floats of all keys of a cached token.</summary>
    public long? KeyFloatsPerToken { get; init; }

    /// <summary>Operations for each cached token.</summary>
    public long? OperationsPerToken { get; init; }

    /// <summary>Decoded tokens, if attention were all.</summary>
    public double? TokensPerSecond { get; init; }

    /// <summary>Read bandwidth of as much memory as the kernel reads.</summary>
    public double? ReadGigabytesPerSecond { get; init; }

    /// <summary><c>arithmetic</c> or <c>memory</c>: what takes longer when each runs at its best.</summary>
    public string? BoundBy { get; init; }

    /// <summary>Time of that at its best, as a part of the time that was measured.</summary>
    public double? ShareOfRoofline { get; init; }

    /// <summary>Largest difference from MlaGen's result, as a part of its largest value.</summary>
    public double? Difference { get; init; }

    /// <summary>Speed as a part of what the same kernel reaches on a cache of full floats.</summary>
    public double? ShareOfFloat32 { get; init; }

    /// <summary>Speed as a multiple of what the same kernel reaches with one query token.</summary>
    public double? OverOneQuery { get; init; }

    /// <summary>Speed as a multiple of what the same kernel reaches on one thread.</summary>
    public double? Speedup { get; init; }

    /// <summary>The same for the FMA peak: what the machine gave at the time.</summary>
    public double? PeakSpeedup { get; init; }

    /// <summary>Time of a part of a step, as a part of the whole step's in the same round.</summary>
    public double? ShareOfStep { get; init; }

    /// <summary>Speed as a multiple of dense attention's in the same round.</summary>
    public double? OverDense { get; init; }

    /// <summary>Milliseconds of <c>Warmup</c>.</summary>
    public double? WarmupMs { get; init; }

    /// <summary>Milliseconds of the first call after it.</summary>
    public double? FirstMs { get; init; }

    /// <summary>Those as a multiple of <see cref="Ms"/>.</summary>
    public double? FirstOverSteady { get; init; }

    /// <summary>Milliseconds of a call after a pause in which the threads fall asleep and the caches are lost.</summary>
    public double? AfterPauseMs { get; init; }

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

    /// <summary>Something too long for rounds, beside the FMA peak of the same time.</summary>
    public static Measurement Of(string kernel, double seconds, long operations, double peakGflops, int threads) => new()
    {
        Kernel = kernel,
        Threads = threads,
        Ms = Significant(seconds * 1e3),
        Gflops = Significant(operations / seconds / 1e9),
        FmaPeakGflops = Significant(peakGflops),
        ShareOfPeak = Significant(operations / seconds / 1e9 / peakGflops),
        GigabytesPerSecond = 0,
        Spread = 0,
    };

    /// <summary>The same beside what came before the steady state.</summary>
    public Measurement WithFirstCall(double warmupMs, double firstMs, double afterPauseMs) => this with
    {
        AfterPauseMs = Significant(afterPauseMs),
        WarmupMs = Significant(warmupMs),
        FirstMs = Significant(firstMs),
        FirstOverSteady = Significant(firstMs / Ms),
    };

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

    /// <summary>The same beside the kernel on a cache of full floats.</summary>
    public Measurement WithFloat32(Rounds rounds, Workload kernel, Workload float32)
    {
        RoundTimes median = rounds.Median(kernel, float32);
        return this with { ShareOfFloat32 = Significant(median.ReferenceSeconds / median.Seconds) };
    }

    /// <summary>The same beside the kernel with one query token, if that was measured.</summary>
    public Measurement WithOneQuery(Rounds rounds, Workload kernel, Workload? one)
    {
        if (one is null)
        {
            return this;
        }

        RoundTimes median = rounds.Median(kernel, one);
        return this with { OverOneQuery = Significant(kernel.Operations / median.Seconds / (one.Operations / median.ReferenceSeconds)) };
    }

    /// <summary>The same beside the kernel and the peak on one thread, if they were measured.</summary>
    public Measurement WithSpeedup(Rounds rounds, Workload kernel, FmaPeak peak, OneThread? one)
    {
        if (one is null)
        {
            return this;
        }

        RoundTimes kernels = rounds.Median(kernel, one.Kernel);
        RoundTimes peaks = rounds.Median(peak, one.Peak);
        return this with
        {
            Speedup = Significant(kernels.ReferenceSeconds / kernels.Seconds),
            PeakSpeedup = Significant(peak.Operations / peaks.Seconds / (one.Peak.Operations / peaks.ReferenceSeconds)),
        };
    }

    /// <summary>The same beside the nearer of two limits: the peak of what it multiplies with, and reading as much memory as the kernel does.</summary>
    public Measurement WithRoofline(Rounds rounds, Workload kernel, ReadBandwidth read, Workload arithmetic)
    {
        RoundTimes arithmetics = rounds.Median(kernel, arithmetic);
        double shareOfArithmetic = kernel.Operations / arithmetics.Seconds / (arithmetic.Operations / arithmetics.ReferenceSeconds);
        RoundTimes median = rounds.Median(kernel, read);
        double bandwidth = read.Bytes / median.ReferenceSeconds / 1e9;
        double shareOfRead = kernel.Bytes / median.Seconds / 1e9 / bandwidth;
        return this with
        {
            TokensPerSecond = Significant(1e3 / Ms),
            ReadGigabytesPerSecond = Significant(bandwidth),
            BoundBy = shareOfRead > shareOfArithmetic ? "memory" : "arithmetic",
            ShareOfRoofline = Significant(Math.Max(shareOfRead, shareOfArithmetic)),
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
