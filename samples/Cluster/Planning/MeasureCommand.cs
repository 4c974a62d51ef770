using System.Diagnostics;
using System.Globalization;
using Cluster.Grains;
using Cluster.Hosting;
using Cluster.Segments;
using Cluster.Telling;
using MlaGen;
using Samples;
using Spectre.Console;
using static System.FormattableString;

namespace Cluster.Planning;

/// <summary>What <c>measure</c> is asked for.</summary>
/// <param name="Silos">Silos, with one segment on each.</param>
/// <param name="SegmentTokens">Tokens of a segment.</param>
/// <param name="Layers">Layers.</param>
/// <param name="Tokens">Tokens that are timed.</param>
/// <param name="Wire">How numbers travel.</param>
/// <param name="LinkGigabits">Of the link that the plan is asked about.</param>
/// <param name="RoundTripMilliseconds">Of that link.</param>
/// <param name="Namespaces">What the names of network namespaces begin with that silos run in, or <see langword="null"/> for none.</param>
internal sealed record MeasureOptions(int Silos, int SegmentTokens, int Layers, int Tokens, WireFormat Wire, double LinkGigabits, double RoundTripMilliseconds, string? Namespaces);

/// <summary>
/// Times the attention of DeepSeek-V3's dimensions over silos, beside the same segments in this process and beside the plan: random rows, random
/// queries, no model around them. Both must give the same bits.
/// </summary>
internal sealed class MeasureCommand(MeasureOptions options)
{
    private const string Stories = "measured";

    /// <summary>Tokens before those that are timed: connections are made, kernels compiled, windows opened.</summary>
    private const int WarmTokens = 20;

    private readonly MlaShape _shape = WideAttention.Shape;

    public async Task RunAsync(TextWriter output)
    {
        DirectoryInfo directory = Directory.CreateTempSubdirectory("mlagen-measure-");
        try
        {
            SegmentOptions segments = new(options.Layers, options.SegmentTokens, 1, CacheFormat.Float32, options.Wire, SegmentShape.Wide, directory.FullName, options.SegmentTokens);
            Fill(directory.FullName);
            Run local = RunLocal(segments);
            Run loopback = await RunSpreadAsync(segments, namespaces: null);
            Run? link = options.Namespaces is { } namespaces ? await RunSpreadAsync(segments, namespaces) : null;
            Report(local, loopback, link, output);
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }

    /// <summary>Address of a silo in its namespace; the coordinator's is the first.</summary>
    private static string Address(string? namespaces, int silo) => namespaces is null ? "127.0.0.1" : string.Create(CultureInfo.InvariantCulture, $"10.99.0.{silo + 1}");

    /// <summary>Writes segments of random rows to where silos look for them. The last has room for the tokens that follow.</summary>
    private void Fill(string directory)
    {
        Random random = new(1);
        for (int segment = 0; segment < options.Silos; segment++)
        {
            int tokens = segment < options.Silos - 1 ? options.SegmentTokens : options.SegmentTokens - options.Tokens - WarmTokens;
            using LatentCache<WideAttention> cache = new(options.Layers, tokens, new LatentCacheOptions { Format = CacheFormat.Float32 });
            using LatentSequence sequence = cache.CreateSequence();
            using MlaBatch<WideAttention> batch = cache.CreateBatch(reserveRows: 0);
            batch.Add(sequence, tokens);
            for (int layer = 0; layer < options.Layers; layer++)
            {
                WideAttention.AppendLatent(batch, layer, Uniform(random, tokens * _shape.CacheRowElements));
            }

            batch.Commit();
            cache.Save(SegmentGrain.FileOf(directory, Stories, segment), new SavedSequence(sequence, Segment<WideAttention>.Numbers(options.SegmentTokens, 1)));
        }
    }

    private Run RunLocal(SegmentOptions segments)
    {
        using MlaExecutor executor = new(1);
        using LocalSegments local = new(segments, executor, (segment, empty) => empty.Load(SegmentGrain.FileOf(segments.Directory!, Stories, segment)));
        return Time(local, segments);
    }

    private async Task<Run> RunSpreadAsync(SegmentOptions segments, string? namespaces)
    {
        SiloOptions silo = ClusterSession.Local(segments, Placement.Spread, threads: 1, deadline: 30, redis: null);
        silo = silo with { Address = Address(namespaces, 0), Primary = string.Create(CultureInfo.InvariantCulture, $"{Address(namespaces, 0)}:{silo.Port}") };
        await using ClusterSession session = await ClusterSession.StartAsync(
            options.Silos,
            silo,
            placeOf: namespaces is null ? null : index => (Address(namespaces, index + 1), ["ip", "netns", "exec", string.Create(CultureInfo.InvariantCulture, $"{namespaces}-{index + 1}")]));

        // The model's thread waits for its segments; it is none of the pool's, as in tell.
        return await Task.Factory.StartNew(() => Time(session.Segments(Stories), segments), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
    }

    private Run Time(ISegments segments, SegmentOptions common)
    {
        using LatentCache<WideAttention> positions = new(1, 1);
        using LatentSequence row = positions.CreateSequence();
        using MlaBatch<WideAttention> batch = positions.CreateBatch(reserveRows: 0);
        using WireMeter wire = new();
        Random random = new(2);
        int first = (options.Silos * options.SegmentTokens) - options.Tokens - WarmTokens;
        long attempt = DateTime.UtcNow.Ticks;
        List<double> layers = [];
        SegmentPlace[] before = [];
        long bytes = 0;
        float[] last = [];
        for (int token = 0; token < WarmTokens + options.Tokens; token++)
        {
            if (token == WarmTokens)
            {
                before = Places(segments);
                bytes = wire.Bytes;
            }

            batch.Add(row, 1);
            SegmentedStep<WideAttention> step = new(segments, common, batch, [new Stretch(0, first + token, 1)], attempt + token, static (_, _) => { });
            for (int layer = 0; layer < options.Layers; layer++)
            {
                float[] queries = Uniform(random, _shape.Heads * _shape.CacheRowElements);
                common.Wire.Round(queries);
                float[] latent = Uniform(random, _shape.CacheRowElements);
                long start = Stopwatch.GetTimestamp();
                last = step.Attend(layer, queries, latent);
                if (token >= WarmTokens)
                {
                    layers.Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
                }
            }

            batch.Rollback();
        }

        bytes = wire.Bytes - bytes;
        SegmentPlace[] after = Places(segments);
        double attention = after.Zip(before).Max(static pair => (pair.First.Milliseconds - pair.Second.Milliseconds) / Math.Max(1, pair.First.Calls - pair.Second.Calls));
        layers.Sort();
        return new Run(layers[layers.Count / 2], attention, EmptyCall(segments), (double)bytes / options.Tokens / options.Layers, last);
    }

    private SegmentPlace[] Places(ISegments segments) => [.. Enumerable.Range(0, options.Silos).Select(segment => segments.FindAsync(segment).GetAwaiter().GetResult())];

    /// <summary>Milliseconds of a call that carries next to nothing: the median of many.</summary>
    private static double EmptyCall(ISegments segments)
    {
        double[] times = new double[200];
        for (int i = 0; i < times.Length; i++)
        {
            long start = Stopwatch.GetTimestamp();
            segments.FindAsync(0).GetAwaiter().GetResult();
            times[i] = Stopwatch.GetElapsedTime(start).TotalMilliseconds;
        }

        Array.Sort(times);
        return times[times.Length / 2];
    }

    private void Report(Run local, Run loopback, Run? link, TextWriter output)
    {
        // What silos on this machine add to attention and an empty call is the making and taking apart of messages.
        double handling = loopback.Bytes / Math.Max(loopback.Layer - loopback.Attention - loopback.EmptyCall, 1e-3) * 1e3;
        output.WriteLine(Invariant($"{Counted.Of(_shape.Heads, "head")}, {Counted.Of(options.Silos, "silo")} with {Counted.Of(options.SegmentTokens, "token")} each, {options.Wire} on the wire; a token and layer, medians of {Counted.Of(options.Tokens * options.Layers, "call")}"));
        output.WriteLine();
        Table table = Tables.Create("segments", "ms", "attention ms", "empty call ms", "bytes");
        table.AddRow("in this process", Invariant($"{local.Layer:F3}"), string.Empty, string.Empty, string.Empty);
        Add(table, "on silos of this machine", loopback);
        if (link is not null)
        {
            Add(table, "on silos over links", link);
        }

        Tables.Write(table, output);
        output.WriteLine();
        output.WriteLine(Invariant($"messages are made and taken apart at {handling / 1e9:F2} GB/s"));
        PlannedModel model = new("measured", options.Layers, _shape.Heads, _shape.KvLoraRank, _shape.QkRopeHeadDim);

        // The link's round trip is its own; that of an empty message takes what it took without the link besides.
        LinkPlan plan = new(model, options.Silos, options.Wire, options.LinkGigabits * 1e9, (options.RoundTripMilliseconds + loopback.EmptyCall) / 1e3, handling);
        output.WriteLine(Invariant($"bytes, measured to planned: {loopback.Bytes / plan.Bytes:F3}"));
        if (link is not null)
        {
            double planned = (plan.NetworkTime * 1e3) + loopback.Attention;
            output.WriteLine(Invariant($"over links of {options.LinkGigabits:G4} Gbit/s and {options.RoundTripMilliseconds:G4} ms: {link.Layer:F3} ms measured, {planned:F3} ms planned, ratio {link.Layer / planned:F2}"));
        }

        output.WriteLine(local.Last.AsSpan().SequenceEqual(loopback.Last) && (link is null || local.Last.AsSpan().SequenceEqual(link.Last))
            ? "All gave the same bits."
            : throw new UserException("segments on silos gave other bits than the same segments in this process"));
    }

    private static void Add(Table table, string where, Run run)
        => table.AddRow(where, Invariant($"{run.Layer:F3}"), Invariant($"{run.Attention:F3}"), Invariant($"{run.EmptyCall:F3}"), Invariant($"{run.Bytes:F0}"));

    private static float[] Uniform(Random random, int count)
    {
        float[] values = new float[count];
        foreach (ref float value in values.AsSpan())
        {
            value = (random.NextSingle() * 2) - 1;
        }

        return values;
    }

    /// <summary>What was measured, in milliseconds and bytes, and the last result.</summary>
    private sealed record Run(double Layer, double Attention, double EmptyCall, double Bytes, float[] Last);
}
