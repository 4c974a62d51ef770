using System.Diagnostics;

namespace Explorer.Measuring;

/// <summary>
/// Times workloads in turn, round after round: a change of clock frequency or a neighbour's load meets them alike, so that their ratio within
/// a round holds where their times do not.
/// </summary>
internal sealed class Rounds
{
    private const int Fewest = 5;
    private const int Most = 101;
    private const double WarmUpSeconds = 0.3;
    private const double ShortestSlice = 0.005;
    private const double LongestSlice = 0.1;

    private readonly Workload[] _workloads;
    private readonly double[][] _seconds;

    private Rounds(Workload[] workloads, double[][] seconds)
    {
        _workloads = workloads;
        _seconds = seconds;
    }

    /// <summary>Times.</summary>
    /// <param name="workloads">What is timed, the peaks among them.</param>
    /// <param name="seconds">About how long it may take; at least five rounds are run.</param>
    /// <param name="progress">Takes the part that is done, from 0 to 1.</param>
    public static Rounds Run(Workload[] workloads, double seconds, Action<double> progress)
    {
        double[] single = [.. workloads.Select(WarmUp)];

        // Slices of one round are about equally long: a disturbance is as likely to meet one as the other.
        double slice = Math.Clamp(single.Max(), ShortestSlice, LongestSlice);
        int[] repeats = [.. single.Select(time => Math.Max(1, (int)Math.Ceiling(slice / time)))];
        double round = single.Zip(repeats, static (time, count) => time * count).Sum();
        int rounds = (int)Math.Clamp(seconds / round, Fewest, Most) | 1;
        double[][] times = [.. workloads.Select(_ => new double[rounds])];
        for (int i = 0; i < rounds; i++)
        {
            for (int j = 0; j < workloads.Length; j++)
            {
                // Those before have filled the caches and let its threads fall asleep: a short workload runs once before its time is taken.
                if (single[j] < LongestSlice)
                {
                    workloads[j].Run();
                }

                times[j][i] = Time(workloads[j], repeats[j]);
            }

            progress((i + 1.0) / rounds);
        }

        return new Rounds(workloads, times);
    }

    /// <summary>What a workload reached in the round whose ratio to the reference is the median of all rounds.</summary>
    /// <param name="workload">What is judged.</param>
    /// <param name="reference">What it is compared with.</param>
    public RoundTimes Median(Workload workload, Workload reference)
    {
        double[] times = TimesOf(workload);
        double[] references = TimesOf(reference);
        int[] order = [.. Enumerable.Range(0, times.Length).OrderBy(i => references[i] / times[i])];
        int median = order[order.Length / 2];
        return new RoundTimes(times[median], references[median], Spread(times));
    }

    /// <summary>The distance between the quartiles as a part of the median.</summary>
    private static double Spread(double[] times)
    {
        double[] sorted = [.. times.Order()];
        return (sorted[sorted.Length * 3 / 4] - sorted[sorted.Length / 4]) / sorted[sorted.Length / 2];
    }

    private static double WarmUp(Workload workload)
    {
        // Until the runtime has nothing left to compile, then once more.
        Stopwatch watch = Stopwatch.StartNew();
        do
        {
            workload.Run();
        }
        while (watch.Elapsed.TotalSeconds < WarmUpSeconds);
        return Time(workload, 1);
    }

    private static double Time(Workload workload, int repeats)
    {
        long start = Stopwatch.GetTimestamp();
        for (int i = 0; i < repeats; i++)
        {
            workload.Run();
        }

        return Stopwatch.GetElapsedTime(start).TotalSeconds / repeats;
    }

    private double[] TimesOf(Workload workload) => _seconds[Array.IndexOf(_workloads, workload)];
}

/// <summary>Times of one round.</summary>
/// <param name="Seconds">Of the workload.</param>
/// <param name="ReferenceSeconds">Of the reference.</param>
/// <param name="Spread">Distance between the quartiles of the workload's times in all rounds, as a part of their median.</param>
internal readonly record struct RoundTimes(double Seconds, double ReferenceSeconds, double Spread);
