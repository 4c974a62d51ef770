using System.Diagnostics;
using Explorer.Measuring;
using Explorer.Models;
using Explorer.Output;
using MlaGen;
using MlaGen.Models;

namespace Explorer.Commands;

/// <summary>A whole model of DeepSeek-V2-Lite's shape from the disk into memory, and a decoded token beside what DRAM allows.</summary>
internal static class ModelCommand
{
    /// <summary>Its table.</summary>
    internal static readonly Column[] Columns =
    [
        Column.Kernel, Column.Model, Column.Tier, Column.Threads, Column.Milliseconds, Column.TokensPerSecond, Column.Gigabytes, Column.Dram, Column.ShareOfDram, Column.Spread,
    ];

    /// <summary>Bytes of a file that are read to see how fast the disk is.</summary>
    private const long DiskBytes = 2L << 30;

    /// <summary>Tokens that are told by themselves: weights that are mapped come from the disk when they are first needed.</summary>
    private const int EarlyTokens = 32;

    /// <param name="synthetic">What is written, if it is not there.</param>
    /// <param name="directory">Where to; <see langword="null"/> for a temporary directory, which is removed.</param>
    /// <param name="format">How weights are kept.</param>
    /// <param name="keep">Whether packed weights are kept in a file.</param>
    /// <param name="options">How to measure.</param>
    /// <param name="report">Takes the result.</param>
    public static void Run(SyntheticModel synthetic, string? directory, WeightFormat format, bool keep, MeasurementOptions options, Report report)
    {
        string path = directory ?? Directory.CreateTempSubdirectory("mlagen-model-").FullName;
        try
        {
            Stopwatch watch = Stopwatch.StartNew();
            bool isWritten = false;
            report.WithProgress("writing the checkpoint", progress => isWritten = synthetic.Write(path, progress));
            if (isWritten)
            {
                report.Note(FormattableString.Invariant($"Checkpoint: {synthetic.Bytes / 1e9:0.00} GB of bf16 written in {watch.Elapsed.TotalSeconds:0.0} s, {synthetic.Bytes / 1e6 / watch.Elapsed.TotalSeconds:0} MB/s."));
            }

            Measure(synthetic, path, format, keep, options, report);
        }
        finally
        {
            if (directory is null)
            {
                SyntheticModel.Remove(path);
            }
        }

        report.Show($"A decoded token: DeepSeek-V2-Lite's shape, {format}", Columns);
    }

    private static void Measure(SyntheticModel synthetic, string path, WeightFormat format, bool keep, MeasurementOptions options, Report report)
    {
        string kept = LanguageModel.KeptPath(path, format);
        DateTime? written = File.Exists(kept) ? File.GetLastWriteTimeUtc(kept) : null;
        LanguageModel model = null!;
        FileCache.Drop(path, "*");
        Stopwatch watch = Stopwatch.StartNew();
        report.WithProgress("loading", progress => model = LanguageModel.Load(
            path,
            [AttentionClass.Of<DeepSeekV2Lite>()],
            new ModelOptions { Weights = format, KeepWeights = keep, Progress = new Told(progress) }));
        double seconds = watch.Elapsed.TotalSeconds;
        ProcessMemory memory = ProcessMemory.Now;
        bool isMapped = keep && written == File.GetLastWriteTimeUtc(kept);
        report.Note(isMapped
            ? FormattableString.Invariant($"Mapped from {Path.GetFileName(kept)}, {new FileInfo(kept).Length / 1e9:0.00} GB, in {seconds:0.00} s.")
            : FormattableString.Invariant($"Loaded into {format}{(keep ? ", and into a file," : "")} in {seconds:0.0} s: {synthetic.Bytes / 1e6 / seconds:0} MB/s of the checkpoint; the disk gives {DiskRate(path):0} MB/s to the same reads without packing."));
        report.Note(FormattableString.Invariant(
            $"Memory: at most {memory.Peak / 1e9:0.00} GB resident while loading (VmHWM){(memory.Anonymous is { } anonymous ? FormattableString.Invariant($"; now {anonymous / 1e9:0.00} GB anonymous and {memory.File / 1e9:0.00} GB of mapped files") : "")}. What the system caches of files that are read is not in it."));
        using MlaExecutor executor = new(options.Threads);
        using Crew crew = new(options.Threads);
        FmaPeak peak = new(crew);
        ReadBandwidth dram = ReadBandwidth.OfDram(crew);
        using TokenWorkload token = new(model, synthetic.ActiveBytes(format), executor);
        report.Note(FormattableString.Invariant($"Tokens: the first in {Milliseconds(token, 1):0} ms, the next {EarlyTokens} in {Milliseconds(token, EarlyTokens):0} ms each, {EarlyTokens} more in {Milliseconds(token, EarlyTokens):0} ms each."));
        report.WithProgress("decoding", progress =>
        {
            Rounds rounds = Rounds.Run([peak, dram, token], options.Seconds * 3, progress);
            Measurement measurement = Measurement.Of(rounds, token, peak, options.Threads);
            report.Add(measurement.WithDram(rounds, token, dram) with { Model = "V2-Lite", TokensPerSecond = 1e3 / measurement.Ms });
        });
    }

    /// <summary>What each of so many tokens takes.</summary>
    private static double Milliseconds(TokenWorkload token, int tokens)
    {
        Stopwatch watch = Stopwatch.StartNew();
        for (int i = 0; i < tokens; i++)
        {
            token.Run();
        }

        return watch.Elapsed.TotalMilliseconds / tokens;
    }

    /// <summary>Megabytes a second of reads as loading makes them.</summary>
    private static double DiskRate(string path)
    {
        const int Piece = 1 << 20;
        string first = Directory.EnumerateFiles(path, "*.safetensors").Order(StringComparer.Ordinal).First();
        FileCache.Drop(path, Path.GetFileName(first));
        using Microsoft.Win32.SafeHandles.SafeFileHandle file = File.OpenHandle(first);
        long pieces = Math.Min(DiskBytes, RandomAccess.GetLength(file)) / Piece;
        Stopwatch watch = Stopwatch.StartNew();
        Parallel.For(0, pieces, new ParallelOptions { MaxDegreeOfParallelism = 2 * Environment.ProcessorCount }, static () => new byte[Piece], (piece, _, buffer) =>
        {
            RandomAccess.Read(file, buffer, piece * Piece);
            return buffer;
        }, static _ => { });
        return pieces * (double)Piece / 1e6 / watch.Elapsed.TotalSeconds;
    }

    private sealed class Told(Action<double> progress) : IProgress<LoadProgress>
    {
        public void Report(LoadProgress value) => progress((double)value.Layers / value.AllLayers);
    }
}
