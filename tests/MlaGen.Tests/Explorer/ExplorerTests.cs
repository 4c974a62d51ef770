using System.Text.Json.Nodes;
using Explorer;
using Explorer.Commands;
using Explorer.Kernels;
using Explorer.Measuring;
using Explorer.Models;
using Explorer.Output;
using MlaGen.Tests.Files;

namespace MlaGen.Tests.Explorer;

public class ExplorerTests
{
    [Fact]
    public void Json_of_decode_is_one_object_with_exactly_these_fields_and_nothing_else()
    {
        (int exitCode, string output, string error) = Run("decode", "--heads", "16", "--context", "64", "--threads", "1", "--seconds", "0.01", "--json");

        Assert.Equal(0, exitCode);
        Assert.Empty(error);
        string line = Assert.Single(output.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        JsonObject json = JsonNode.Parse(line)!.AsObject();
        Assert.Equal(
            ["kernel", "tier", "heads", "context", "threads", "cache", "ms", "gflops", "fmaPeakGflops", "shareOfPeak", "gigabytesPerSecond", "spread"],
            json.Select(static field => field.Key));
        double gflops = json["gflops"]!.GetValue<double>();
        Assert.Equal(2.0 * 16 * ((2 * 512) + 64) * 64 / 1e6 / json["ms"]!.GetValue<double>(), gflops, gflops * 1e-3);
        Assert.Equal(gflops / json["fmaPeakGflops"]!.GetValue<double>(), json["shareOfPeak"]!.GetValue<double>(), 1e-3);
        Assert.Equal("float32", json["cache"]!.GetValue<string>());
    }

    [Theory]
    [InlineData("decode")]
    [InlineData("prefill")]
    public void Json_on_several_threads_also_tells_how_many_times_as_fast_as_on_one(string command)
    {
        (int exitCode, string output, string error) = Run(command, "--heads", "16", "--context", "512", "--threads", "2", "--seconds", "0.01", "--json");

        Assert.Equal(0, exitCode);
        Assert.Empty(error);
        JsonObject json = JsonNode.Parse(Assert.Single(output.Split('\n', StringSplitOptions.RemoveEmptyEntries)))!.AsObject();
        Assert.Equal(
            ["kernel", "tier", "heads", "context", "threads", "cache", "ms", "gflops", "fmaPeakGflops", "shareOfPeak", "gigabytesPerSecond", "spread", "speedup", "peakSpeedup"],
            json.Select(static field => field.Key));
        Assert.Equal(2, json["threads"]!.GetValue<int>());
        Assert.True(json["speedup"]!.GetValue<double>() > 0);
    }

    [Fact]
    public void Speedup_is_one_thread_s_time_over_that_of_several_and_the_peak_s_counts_its_operations()
    {
        using Crew two = new(2);
        FmaPeak peak = new(two);
        using OneThread one = OneThread.Beside(2, static _ => new Sleep(0.004))!;
        Sleep kernel = new(0.001);
        Rounds rounds = Rounds.Run([peak, kernel, .. OneThread.Workloads(one)], 0.01, static _ => { });

        Measurement measurement = Point("ours", 64, 1).WithSpeedup(rounds, kernel, peak, one);

        RoundTimes kernels = rounds.Median(kernel, one.Kernel);
        Assert.Equal(1, kernels.ReferenceSeconds / kernels.Seconds / measurement.Speedup!.Value, 1e-3);
        RoundTimes peaks = rounds.Median(peak, one.Peak);
        Assert.Equal(1, 2 * peaks.ReferenceSeconds / peaks.Seconds / measurement.PeakSpeedup!.Value, 1e-3);
        Assert.Null(OneThread.Beside(1, static _ => throw new InvalidOperationException("One thread is not measured beside itself.")));
    }

    [Theory]
    [InlineData("16", "Float8")]
    [InlineData("64", "bfloat16")]
    public void Json_of_decode_on_a_smaller_cache_also_tells_its_speed_beside_full_floats(string heads, string format)
    {
        (int exitCode, string output, string error) = Run("decode", "--heads", heads, "--cache", format, "--context", "64", "--threads", "1", "--seconds", "0.01", "--json");

        Assert.Equal(0, exitCode);
        Assert.Empty(error);
        JsonObject json = JsonNode.Parse(Assert.Single(output.Split('\n', StringSplitOptions.RemoveEmptyEntries)))!.AsObject();
        Assert.Equal(
            ["kernel", "tier", "heads", "context", "threads", "cache", "ms", "gflops", "fmaPeakGflops", "shareOfPeak", "gigabytesPerSecond", "spread", "shareOfFloat32"],
            json.Select(static field => field.Key));
        Assert.Equal(format.ToLowerInvariant(), json["cache"]!.GetValue<string>());
        Assert.True(json["shareOfFloat32"]!.GetValue<double>() > 0);
        int rowBytes = format == "Float8" ? 656 : 1152;
        double bandwidth = rowBytes * 64 / 1e6 / json["ms"]!.GetValue<double>();
        Assert.Equal(bandwidth, json["gigabytesPerSecond"]!.GetValue<double>(), bandwidth * 1e-3);
    }

    [Theory]
    [InlineData(16)]
    [InlineData(64)]
    [InlineData(128)]
    public void Each_format_measures_its_own_cache_and_gives_nearly_what_full_floats_give(int heads)
    {
        const int Context = 70;
        Dictionary<CacheFormat, double> tolerances = new()
        {
            [CacheFormat.BFloat16] = 4e-3,
            [CacheFormat.Float16] = 5e-4,
            [CacheFormat.Float8] = 5e-2,
            [CacheFormat.Int8] = 1e-2,
        };
        Model model = Model.WithHeads(heads);
        using MlaExecutor executor = new(1);
        using CoreWorkload exact = model.Core.Decode(Context, executor);
        exact.Run();
        List<double> differences = [];
        foreach ((CacheFormat format, double tolerance) in tolerances)
        {
            using CoreWorkload decode = model.Core.Decode(Context, executor, format);
            decode.Run();
            differences.Add(PeersCommand.Difference(decode.Output, exact.Output));
            Assert.InRange(differences[^1], 1e-6, tolerance);
        }

        Assert.Distinct(differences);
    }

    [Fact]
    public void A_model_is_written_loaded_kept_and_mapped()
    {
        using TemporaryDirectory directory = new();
        string[] arguments = ["model", "--directory", directory.Path, "--layers", "2", "--experts", "6", "--vocabulary", "200", "--keep", "--threads", "2", "--seconds", "0.01", "--json"];

        (int exitCode, string output, string error) = Run(arguments);

        Assert.Equal(0, exitCode);
        Assert.Contains("MB/s of the checkpoint", error, StringComparison.Ordinal);
        JsonNode line = JsonNode.Parse(Assert.Single(output.Split('\n', StringSplitOptions.RemoveEmptyEntries)))!;
        Assert.Equal(1e3 / line["ms"]!.GetValue<double>(), line["tokensPerSecond"]!.GetValue<double>(), 0.1);
        Assert.True(line["shareOfDram"]!.GetValue<double>() > 0);
        string[] files = Directory.GetFiles(directory.Path);
        Assert.Equal(4, files.Length);
        DateTime[] written = [.. files.Select(File.GetLastWriteTimeUtc)];

        (exitCode, _, error) = Run(arguments);

        Assert.Equal(0, exitCode);
        Assert.DoesNotContain("written in", error, StringComparison.Ordinal);
        Assert.Equal(written, files.Select(File.GetLastWriteTimeUtc));
        Assert.Equal(0, Run([.. arguments, "--weights", "Int8Group64"]).ExitCode);
        Assert.Contains("something else in it", Run("model", "--directory", directory.Path, "--layers", "3").Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Weights_are_measured_in_every_format_on_one_thread_and_on_all()
    {
        (int exitCode, string output, string error) = Run("weights", "--outputs", "160", "--inputs", "256", "--threads", "2", "--seconds", "0.01", "--json");

        Assert.Equal(0, exitCode);
        Assert.Empty(error);
        JsonNode[] lines = [.. output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(static line => JsonNode.Parse(line)!)];
        string[] formats = ["bf16", "fp8", .. Enum.GetNames<WeightFormat>().Where(static name => name != nameof(WeightFormat.Stored))];
        Assert.Equal([.. formats, .. formats], lines.Select(static line => line["kernel"]!.GetValue<string>()));
        Assert.Equal(Enumerable.Repeat(1, formats.Length).Concat(Enumerable.Repeat(2, formats.Length)), lines.Select(static line => line["threads"]!.GetValue<int>()));
        Assert.All(lines, static line => Assert.True(line["shareOfDram"]!.GetValue<double>() > 0));
        double bytes = lines[Array.IndexOf(formats, "Int4Group64")]["gigabytesPerSecond"]!.GetValue<double>() * lines[Array.IndexOf(formats, "Int4Group64")]["ms"]!.GetValue<double>() * 1e6;
        Assert.Equal(160 * 256 * 4.25 / 8, bytes, 160 * 256 * 0.01);
    }

    [Theory]
    [InlineData("--heads takes one of 16, 20, 40, 64, 128, not '17'", "decode", "--heads", "17")]
    [InlineData("--context takes a number from 1 to 1048576, not '0'", "decode", "--context", "0")]
    [InlineData("--threads takes a number from 1 to 1024, not 'all'", "roofline", "--threads", "all")]
    [InlineData("--cache takes one of float32, bfloat16, float16, float8, int8, not 'int3'", "decode", "--cache", "int3")]
    [InlineData("--model takes one of V2-Lite, GLM-4.7-Flash, MiniCPM3, Kimi-K2, V3, not 'GPT'", "layer", "--model", "GPT")]
    [InlineData("MiniCPM3 has positions for 32768 tokens, not for 32769", "decode", "--heads", "40", "--context", "32769")]
    [InlineData("--plot takes a file that ends in .svg or .png, not 'a.gif'", "decode", "--plot", "a.gif")]
    [InlineData("nowhere", "decode", "--plot", "/nowhere/at/all.svg")]
    public void A_mistake_on_the_command_line_is_one_line_and_exit_code_2(string problem, params string[] arguments)
    {
        (int exitCode, string output, string error) = Run(arguments);

        Assert.Equal(2, exitCode);
        Assert.Empty(output);
        Assert.StartsWith("explorer: ", error, StringComparison.Ordinal);
        Assert.Contains(problem, error, StringComparison.Ordinal);
        Assert.Equal(error.Length - 1, error.IndexOf('\n', StringComparison.Ordinal));
    }

    [Fact]
    public void Crossover_is_where_a_kernel_begins_to_stay_ahead()
    {
        Measurement[] measurements =
        [
            Point("ours", 64, 1), Point("ours", 128, 5), Point("ours", 256, 6), Point("ours", 512, 7),
            Point("theirs", 64, 2), Point("theirs", 128, 4), Point("theirs", 256, 8), Point("theirs", 512, 16),
        ];

        Assert.Equal("ours is ahead of theirs from 256 tokens on.", CompareCommand.Crossover(measurements, "ours", "theirs"));
        Assert.Equal("theirs is not ahead of ours at the longest context.", CompareCommand.Crossover(measurements, "theirs", "ours"));
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(3, 77)]
    [InlineData(5, 128)]
    public void Multi_head_attention_that_MLA_is_compared_with_is_attention(int heads, int context)
    {
        const int Width = HeadMajorCache.Width;
        using Crew crew = new(2);
        HeadMajorCache cache = new(heads, context, crew);
        MultiHeadAttention attention = new(cache, crew);

        attention.Run();

        for (int head = 0; head < heads; head++)
        {
            double[] weights = [.. Enumerable.Range(0, context).Select(token => Math.Exp(Enumerable.Range(0, Width).Sum(i => (double)attention.Queries[(head * Width) + i] * cache.Keys[(((head * context) + token) * Width) + i])))];
            double sum = weights.Sum();
            for (int i = 0; i < Width; i++)
            {
                double expected = Enumerable.Range(0, context).Sum(token => weights[token] * cache.Values[(((head * context) + token) * Width) + i]) / sum;
                Assert.Equal(expected, attention.Output[(head * Width) + i], 1e-5);
            }
        }
    }

    /// <summary>Work that takes a certain time.</summary>
    private sealed class Sleep(double seconds) : Workload
    {
        public override string Kernel => "sleep";

        public override long Operations => 0;

        public override long Bytes => 0;

        public override void Run() => Thread.Sleep(TimeSpan.FromSeconds(seconds));
    }

    private static Measurement Point(string kernel, int context, double ms) => new()
    {
        Kernel = kernel,
        Context = context,
        Threads = 1,
        Ms = ms,
        Gflops = 1,
        FmaPeakGflops = 1,
        ShareOfPeak = 1,
        GigabytesPerSecond = 1,
        Spread = 0,
    };

    private static (int ExitCode, string Output, string Error) Run(params string[] arguments)
    {
        StringWriter output = new() { NewLine = "\n" };
        StringWriter error = new() { NewLine = "\n" };
        int exitCode = CommandLine.Run(arguments, output, error, Screen.None);
        return (exitCode, output.ToString(), error.ToString());
    }
}
