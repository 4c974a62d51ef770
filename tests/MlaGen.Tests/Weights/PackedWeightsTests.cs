using System.Text;
using MlaGen.Tests.Files;
using MlaGen.Tests.Processes;

namespace MlaGen.Tests.Weights;

/// <summary>The file that packed weights are kept in.</summary>
public sealed class PackedWeightsTests : IDisposable
{
    private const string Variable = "MLAGEN_TEST_PACKED_DIRECTORY";
    private const string Name = "a";
    private const int Inputs = 300;
    private const int Outputs = 2000;
    private const WeightFormat Format = WeightFormat.Int4Group32;

    private readonly TemporaryDirectory _directory = new();

    public PackedWeightsTests() => WriteCheckpoint(_directory.Path, seed: 1);

    private string Kept => _directory.At("kept");

    private static string Filter => $"FullyQualifiedName={typeof(PackedWeightsTests).FullName}.{nameof(A_loader)}";

    public void Dispose() => _directory.Dispose();

    [Theory]
    [InlineData(WeightFormat.Stored)]
    [InlineData(WeightFormat.Int8Group64)]
    [InlineData(WeightFormat.Int4Group32)]
    public void Weights_are_packed_once_and_mapped_from_then_on_with_the_same_bits(WeightFormat format)
    {
        float[] expected = Product(_directory.Path, kept: null, format).Result;

        Assert.Equal((false, false), Product(_directory.Path, Kept, format, expected));
        DateTime written = File.GetLastWriteTimeUtc(Kept);
        Assert.Equal((true, false), Product(_directory.Path, Kept, format, expected));
        Assert.Equal((true, false), Product(_directory.Path, Kept, format, expected));

        Assert.Equal(written, File.GetLastWriteTimeUtc(Kept));
        Assert.Equal(2, Directory.GetFiles(_directory.Path).Length);
    }

    [Fact]
    public void A_layer_that_is_mapped_outlives_the_file_and_the_checkpoint()
    {
        float[] expected = Product(_directory.Path, Kept, Format).Result;
        Linear linear;
        using (Checkpoint checkpoint = Checkpoint.Open(_directory.Path))
        {
            using PackedWeights weights = PackedWeights.Open(Kept, checkpoint, Format);
            Assert.True(weights.IsMapped);
            linear = Linear.Load(weights, Name, Inputs, Outputs, format: Format);
        }

        File.Delete(Kept);
        GC.Collect();
        GC.WaitForPendingFinalizers();

        Assert.Equal(expected, Multiply(linear));
    }

    [Theory]
    [InlineData("time")]
    [InlineData("data")]
    [InlineData("length")]
    [InlineData("format")]
    public void A_file_of_another_checkpoint_or_format_is_made_again(string change)
    {
        Product(_directory.Path, Kept, Format);
        string source = _directory.At("model.safetensors");
        DateTime time = File.GetLastWriteTimeUtc(source);
        WeightFormat format = Format;
        switch (change)
        {
            case "time":
                File.SetLastWriteTimeUtc(source, time.AddSeconds(1));
                break;
            case "data":
                WriteCheckpoint(_directory.Path, seed: 2);
                File.SetLastWriteTimeUtc(source, time);
                break;
            case "length":
                WriteCheckpoint(_directory.Path, seed: 1, other: 3);
                File.SetLastWriteTimeUtc(source, time);
                break;
            default:
                format = WeightFormat.Int8Group32;
                break;
        }

        float[] expected = Product(_directory.Path, kept: null, format).Result;
        Assert.Equal((false, true), Product(_directory.Path, Kept, format, expected));
        Assert.Equal((true, false), Product(_directory.Path, Kept, format, expected));
    }

    [Fact]
    public void A_file_that_is_not_committed_leaves_nothing_behind()
    {
        using (Checkpoint checkpoint = Checkpoint.Open(_directory.Path))
        {
            using PackedWeights weights = PackedWeights.Open(Kept, checkpoint, Format);
            Linear.Load(weights, Name, Inputs, Outputs, format: Format);
            Assert.Throws<CheckpointException>(() => Linear.Load(weights, "missing", Inputs, Outputs, format: Format));
        }

        Assert.Equal([_directory.At("model.safetensors")], Directory.GetFiles(_directory.Path));
    }

    [Fact]
    public void A_truncated_file_is_refused_and_left_as_it_is()
    {
        Product(_directory.Path, Kept, Format);
        byte[] whole = File.ReadAllBytes(Kept);
        foreach (int length in new[] { 1, 7, 8, 100, 4096, whole.Length / 2, whole.Length - 64, whole.Length - 1 })
        {
            Refused(whole[..length]);
        }

        Refused([.. whole, 0]);
    }

    [Fact]
    public void A_forged_file_is_refused_and_left_as_it_is()
    {
        Product(_directory.Path, Kept, Format);
        byte[] whole = File.ReadAllBytes(Kept);
        string header = Encoding.UTF8.GetString(whole, 8, (int)BitConverter.ToInt64(whole));
        long bytes = long.Parse(header.Split("\"shape\":[")[1].Split(']')[0], System.Globalization.CultureInfo.InvariantCulture);
        (string Old, string New)[] lies =
        [
            ("mlagen packed weights", "other packed weights "),
            ("\"U8\"", "\"I8\""),
            ($"[{bytes}]", $"[{bytes - 64}]"),
            ($"[0,{bytes}]", $"[64,{bytes}]"),
            ($"[0,{bytes}]", $"[0,{bytes + 64}]"),
            ($"[0,{bytes}]", "[0,-1]"),
        ];
        Assert.All(lies, lie => Refused(Forged(whole, header, lie.Old, lie.New)));

        // Two tensors of half the bytes cover the data as the one did.
        string halves = $"{{\"dtype\":\"U8\",\"shape\":[{bytes / 2}],\"data_offsets\":[0,{bytes / 2}]}},\"b\":{{\"dtype\":\"U8\",\"shape\":[{bytes / 2}],\"data_offsets\":[{bytes / 2},{bytes}]}}";
        string entry = $"{{\"dtype\":\"U8\",\"shape\":[{bytes}],\"data_offsets\":[0,{bytes}]}}";
        Refused(Forged(whole, header, entry, halves));

        // A file that would make another format of the bytes has not what is asked for: it is packed from the checkpoint.
        File.WriteAllBytes(Kept, Forged(whole, header, "int4-32", "int4-64"));
        (float[] result, bool isMapped, _) = Product(_directory.Path, Kept, Format);
        Assert.True(isMapped);
        Assert.Equal(Product(_directory.Path, kept: null, Format).Result, result);
    }

    [Fact]
    public void A_checkpoint_is_not_overwritten_by_mistake()
    {
        string source = _directory.At("model.safetensors");
        byte[] before = File.ReadAllBytes(source);

        using Checkpoint checkpoint = Checkpoint.Open(_directory.Path);
        Assert.Contains("is not a file of packed weights", Assert.Throws<CheckpointException>(() => PackedWeights.Open(source, checkpoint, Format)).Message, StringComparison.Ordinal);
        Assert.Throws<CheckpointException>(() => PackedWeights.Open(_directory.Path, checkpoint, Format));

        Assert.Equal(before, File.ReadAllBytes(source));
    }

    /// <summary>What a child process does.</summary>
    [ChildFact(Variable)]
    public void A_loader()
    {
        string directory = Environment.GetEnvironmentVariable(Variable)!;
        float[] expected = Product(directory, kept: null, Format).Result;
        for (int i = 0; i < 30; i++)
        {
            string source = Path.Combine(directory, "model.safetensors");
            Product(directory, Path.Combine(directory, "kept"), Format, expected);
            File.SetLastWriteTimeUtc(source, File.GetLastWriteTimeUtc(source).AddSeconds(1));
        }
    }

    [Fact]
    public async Task Two_processes_that_make_the_file_at_once_both_have_the_right_weights()
    {
        Task<int>[] loaders = [TestProcess.Run(Filter, (Variable, _directory.Path)), TestProcess.Run(Filter, (Variable, _directory.Path))];

        Assert.All(await Task.WhenAll(loaders), static passed => Assert.Equal(1, passed));
        Assert.Equal(2, Directory.GetFiles(_directory.Path).Length);
        Product(_directory.Path, Kept, Format, Product(_directory.Path, kept: null, Format).Result);
        Assert.True(Product(_directory.Path, Kept, Format).IsMapped);
    }

    private static void WriteCheckpoint(string directory, int seed, int other = 1)
    {
        Random random = new(seed);
        byte[] data = new byte[(Inputs * Outputs + other) * sizeof(float)];
        for (int i = 0; i < data.Length; i += sizeof(float))
        {
            BitConverter.TryWriteBytes(data.AsSpan(i), random.NextSingle() - 0.5f);
        }

        int bytes = Inputs * Outputs * sizeof(float);
        string header = $$"""
            {"{{Name}}.weight":{"dtype":"F32","shape":[{{Outputs}},{{Inputs}}],"data_offsets":[0,{{bytes}}]},
             "other":{"dtype":"F32","shape":[{{other}}],"data_offsets":[{{bytes}},{{data.Length}}]} }
            """;
        File.WriteAllBytes(Path.Combine(directory, "model.safetensors"), [.. BitConverter.GetBytes((long)Encoding.UTF8.GetByteCount(header)), .. Encoding.UTF8.GetBytes(header), .. data]);
    }

    private static byte[] Forged(byte[] whole, string header, string old, string forged)
    {
        Assert.Contains(old, header, StringComparison.Ordinal);
        string text = header.Replace(old, forged, StringComparison.Ordinal).TrimEnd().PadRight(header.Length);
        Assert.Equal(header.Length, text.Length);
        return [.. whole[..8], .. Encoding.UTF8.GetBytes(text), .. whole[(8 + header.Length)..]];
    }

    private static float[] Multiply(Linear linear)
    {
        float[] x = [.. Enumerable.Range(0, Inputs).Select(static i => MathF.Sin(i))];
        float[] y = new float[Outputs];
        linear.Multiply(x, y, 1, MlaExecutor.Shared);
        return y;
    }

    private static (float[] Result, bool IsMapped, bool WasStale) Product(string directory, string? kept, WeightFormat format)
    {
        using Checkpoint checkpoint = Checkpoint.Open(directory);
        using PackedWeights? weights = kept is null ? null : PackedWeights.Open(kept, checkpoint, format);
        float[] result = Multiply(Linear.Load((ICheckpoint?)weights ?? checkpoint, Name, Inputs, Outputs, format: format));
        weights?.Commit();
        return (result, weights?.IsMapped ?? false, weights?.WasStale ?? false);
    }

    private static (bool IsMapped, bool WasStale) Product(string directory, string kept, WeightFormat format, float[] expected)
    {
        (float[] result, bool isMapped, bool wasStale) = Product(directory, kept, format);
        Assert.Equal(expected, result);
        return (isMapped, wasStale);
    }

    private void Refused(byte[] file)
    {
        File.WriteAllBytes(Kept, file);
        CheckpointException error = Assert.Throws<CheckpointException>(() => Product(_directory.Path, Kept, Format));
        Assert.StartsWith(Kept, error.Message, StringComparison.Ordinal);
        Assert.Equal(file, File.ReadAllBytes(Kept));
    }
}
