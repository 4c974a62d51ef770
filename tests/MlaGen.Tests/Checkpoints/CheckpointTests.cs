using MlaGen.Tests.Files;

namespace MlaGen.Tests.Checkpoints;

public sealed class CheckpointTests : IDisposable
{
    private const string Index = "model.safetensors.index.json";
    private const string First = "model-00001-of-00002.safetensors";
    private const string Second = "model-00002-of-00002.safetensors";

    private readonly TemporaryDirectory _directory = new();

    private static string LegalIndex =>
        $$$"""{"metadata":{"total_size":9,"deep":[{"a":[1]}]},"weight_map":{"a":"{{{First}}}","b":"{{{Second}}}","c":"{{{First}}}"}}""";

    /// <summary>Name of the case, the index, and what the message must contain. The shards hold a and c, and b.</summary>
    private static readonly Dictionary<string, (string Index, string[] Said)> _cases = new()
    {
        ["empty index"] = ("", ["is empty"]),
        ["index that is no JSON"] = ("{", ["index is not valid JSON"]),
        ["index that is an array"] = ("[]", ["index", "found an array"]),
        ["index with more behind it"] = (LegalIndex + "x", ["index is not valid JSON"]),
        ["index nested deeply"] = ("{\"metadata\":" + new string('[', 100_000), ["depth of 64"]),
        ["no weight map"] = ("""{"metadata":{}}""", ["no weight_map"]),
        ["weight map that is an array"] = ("""{"weight_map":[]}""", ["weight_map", "found an array"]),
        ["weight map twice"] = ("""{"weight_map":{},"weight_map":{}}""", ["weight_map comes twice"]),
        ["a tensor twice"] = (MapOf(("a", First), ("a", First)), ["tensor 'a' comes twice"]),
        ["a shard that is a number"] = ("""{"weight_map":{"a":1}}""", ["found the number '1'"]),
        ["a shard that is missing"] = (MapOf(("a", "gone.safetensors")), ["gone.safetensors", "does not exist"]),
        ["a tensor its shard does not hold"] = (MapOf(("a", First), ("b", Second), ("c", First), ("d", Second)), ["tensor 'd'", $"'{Second}'", "does not hold it"]),
        ["a tensor placed in the other shard"] = (MapOf(("a", First), ("b", Second), ("c", Second)), ["tensor 'c'", $"'{Second}'"]),
        ["a shard that is malformed"] = (MapOf(("a", "broken.safetensors")), ["broken.safetensors", "1 byte after the last tensor"]),
        ["shard in the parent directory"] = (MapOf(("a", "../x.safetensors")), ["tensor 'a'", "'../x.safetensors'"]),
        ["shard in a directory below"] = (MapOf(("a", "below/x.safetensors")), ["'below/x.safetensors'"]),
        ["shard by its full path"] = (MapOf(("a", "/etc/x.safetensors")), ["'/etc/x.safetensors'"]),
        ["shard by a Windows path"] = (MapOf(("a", @"..\\x.safetensors")), [@"'..\x.safetensors'"]),
        ["shard on a drive"] = (MapOf(("a", "C:x.safetensors")), ["'C:x.safetensors'"]),
        ["shard that is this directory"] = (MapOf(("a", ".")), ["'.'"]),
        ["shard that is the parent directory"] = (MapOf(("a", "..")), ["'..'"]),
        ["shard without a name"] = (MapOf(("a", "")), ["''"]),
        ["shard that is an extension alone"] = (MapOf(("a", ".safetensors")), ["'.safetensors'"]),
        ["shard of another kind"] = (MapOf(("a", "pytorch_model.bin")), ["'pytorch_model.bin'"]),
        ["shard with a zero in its name"] = (MapOf(("a", @"x\u0000.safetensors")), [@"'x\u0000.safetensors'"]),
        ["shard that is a directory"] = (MapOf(("a", "folder.safetensors")), ["folder.safetensors", "is a directory"]),
    };

    public static TheoryData<string> Names => [.. _cases.Keys];

    public CheckpointTests()
    {
        _directory.Write(First, SafetensorsBytes.OfVectors(("a", 2), ("c", 3)));
        _directory.Write(Second, SafetensorsBytes.OfVectors(("b", 4)));
        _directory.Write("broken.safetensors", [.. SafetensorsBytes.OfVectors(("a", 2)), 0]);
        Directory.CreateDirectory(_directory.At("folder.safetensors"));
    }

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void A_directory_with_shards_gives_the_tensors_of_all_of_them()
    {
        _directory.Write(Index, LegalIndex);
        using Checkpoint checkpoint = Checkpoint.Open(_directory.Path);

        Assert.Equal(["a", "b", "c"], checkpoint.Tensors.Select(t => t.Name).Order());
        Assert.Equal(_directory.Path, checkpoint.Source);
        Assert.True(checkpoint.TryGetTensor("b", out CheckpointTensor? b));
        Assert.Equal(_directory.At(Second), b.Source);
        byte[] bytes = new byte[4];
        b.Read(0, bytes);
        Assert.Equal([0, 1, 2, 3], bytes);
        Assert.False(checkpoint.TryGetTensor("d", out _));
    }

    [Fact]
    public void The_index_decides_what_a_shard_gives()
    {
        // Left out of the index, and left over in another shard.
        _directory.Write(Second, SafetensorsBytes.OfVectors(("a", 7), ("b", 4)));
        _directory.Write(Index, MapOf(("a", First), ("b", Second)));
        using Checkpoint checkpoint = Checkpoint.Open(_directory.Path);

        Assert.Equal(["a", "b"], checkpoint.Names.Order());
        Assert.False(checkpoint.TryGetTensor("c", out _));
        Assert.True(checkpoint.TryGetTensor("a", out CheckpointTensor? a));
        Assert.Equal((_directory.At(First), 2), (a.Source, a.Shape[0]));
    }

    [Fact]
    public void A_single_file_is_opened_by_its_path_and_by_its_directory()
    {
        string path = _directory.Write("model.safetensors", SafetensorsBytes.Legal);
        foreach (string source in new[] { path, _directory.Path })
        {
            using Checkpoint checkpoint = Checkpoint.Open(source);
            Assert.Equal(4, checkpoint.Tensors.Count);
            Assert.True(checkpoint.TryGetTensor("a", out CheckpointTensor? a));
            Assert.Equal(path, a.Source);
        }
    }

    [Fact]
    public void A_single_file_goes_before_an_index()
    {
        _directory.Write("model.safetensors", SafetensorsBytes.OfVectors(("single", 1)));
        _directory.Write(Index, LegalIndex);
        using Checkpoint checkpoint = Checkpoint.Open(_directory.Path);
        Assert.Equal("single", Assert.Single(checkpoint.Tensors).Name);
    }

    [Fact]
    public void A_closed_checkpoint_says_so_whatever_is_asked_of_it()
    {
        _directory.Write(Index, LegalIndex);
        Checkpoint checkpoint = Checkpoint.Open(_directory.Path);
        Assert.True(checkpoint.TryGetTensor("c", out CheckpointTensor? tensor));
        checkpoint.Dispose();
        Assert.Throws<ObjectDisposedException>(() => tensor.Read(0, new byte[1]));
        Assert.Throws<ObjectDisposedException>(() => checkpoint.Tensors);
        Assert.Throws<ObjectDisposedException>(() => checkpoint.TryGetTensor("a", out _));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void A_malformed_checkpoint_is_refused_by_name_and_fault(string name)
    {
        (string index, string[] said) = _cases[name];
        _directory.Write(Index, index);

        CheckpointException e = Assert.Throws<CheckpointException>(() => Checkpoint.Open(_directory.Path));

        Assert.StartsWith(_directory.Path, e.File, StringComparison.Ordinal);
        Assert.StartsWith(e.File + ": ", e.Message, StringComparison.Ordinal);
        Assert.All(said, s => Assert.Contains(s, e.Message, StringComparison.Ordinal));
    }

    [Fact]
    public void A_directory_without_a_checkpoint_and_a_path_without_anything_are_refused()
    {
        CheckpointException e = Assert.Throws<CheckpointException>(() => Checkpoint.Open(_directory.Path));
        Assert.Contains("neither model.safetensors nor model.safetensors.index.json", e.Message, StringComparison.Ordinal);
        Assert.Contains("does not exist", Assert.Throws<CheckpointException>(() => Checkpoint.Open(_directory.At("none"))).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("model.safetensors")]
    [InlineData(Index)]
    [InlineData(First)]
    public void A_link_that_leads_outside_is_refused(string linked)
    {
        using var outside = new TemporaryDirectory();
        _directory.Write(Index, LegalIndex);
        outside.Write("target", linked == Index ? File.ReadAllBytes(_directory.At(Index)) : SafetensorsBytes.OfVectors(("a", 2), ("c", 3)));
        File.Delete(_directory.At(linked));
        File.CreateSymbolicLink(_directory.At(linked), outside.At("target"));

        CheckpointException e = Assert.Throws<CheckpointException>(() => Checkpoint.Open(_directory.Path));

        Assert.Equal(_directory.At(linked), e.File);
        Assert.Contains("outside the checkpoint's directory", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_link_that_leads_outside_through_a_linked_directory_is_refused()
    {
        using var outside = new TemporaryDirectory();
        outside.Write("target", SafetensorsBytes.Legal);
        Directory.CreateSymbolicLink(_directory.At("inside"), outside.Path);
        File.CreateSymbolicLink(_directory.At("model.safetensors"), Path.Combine("inside", "target"));
        Assert.Contains("outside", Assert.Throws<CheckpointException>(() => Checkpoint.Open(_directory.Path)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_directory_whose_name_only_begins_alike_is_outside()
    {
        string inner = Directory.CreateDirectory(_directory.At("model")).FullName;
        string sibling = Directory.CreateDirectory(_directory.At("model-evil")).FullName;
        File.WriteAllBytes(Path.Combine(sibling, "t"), SafetensorsBytes.Legal);
        File.CreateSymbolicLink(Path.Combine(inner, "model.safetensors"), "../model-evil/t");
        Assert.Contains("outside", Assert.Throws<CheckpointException>(() => Checkpoint.Open(inner)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Links_in_a_circle_are_refused()
    {
        File.CreateSymbolicLink(_directory.At(Second + ".a"), _directory.At(Second));
        File.Delete(_directory.At(Second));
        File.CreateSymbolicLink(_directory.At(Second), _directory.At(Second + ".a"));
        _directory.Write(Index, LegalIndex);
        CheckpointException e = Assert.Throws<CheckpointException>(() => Checkpoint.Open(_directory.Path));
        Assert.Equal(_directory.At(Second), e.File);
        Assert.Throws<CheckpointException>(() => Checkpoint.Open(_directory.At(Second)));
        Assert.Throws<CheckpointException>(() => SafetensorsFile.Open(_directory.At(Second)));
    }

    [Fact]
    public void Links_that_stay_inside_and_a_linked_directory_are_followed()
    {
        _directory.Write("blob", SafetensorsBytes.Legal);
        File.CreateSymbolicLink(_directory.At("model.safetensors"), "blob");
        using var elsewhere = new TemporaryDirectory();
        Directory.CreateSymbolicLink(elsewhere.At("link"), _directory.Path);
        using Checkpoint checkpoint = Checkpoint.Open(elsewhere.At("link"));
        Assert.Equal(4, checkpoint.Tensors.Count);
    }

    [Fact]
    public void The_cache_of_the_Hugging_Face_hub_is_followed_into_its_blobs_alone()
    {
        string snapshot = Directory.CreateDirectory(_directory.At("models--x/snapshots/0123abcd")).FullName;
        Directory.CreateDirectory(_directory.At("models--x/blobs"));
        _directory.Write("models--x/blobs/f00d", SafetensorsBytes.Legal);
        _directory.Write("models--x/other", SafetensorsBytes.Legal);
        string link = Path.Combine(snapshot, "model.safetensors");

        File.CreateSymbolicLink(link, "../../blobs/f00d");
        using (Checkpoint checkpoint = Checkpoint.Open(snapshot))
        {
            Assert.Equal(4, checkpoint.Tensors.Count);
        }

        File.Delete(link);
        File.CreateSymbolicLink(link, "../../other");
        Assert.Throws<CheckpointException>(() => Checkpoint.Open(snapshot));
    }

    private static string MapOf(params (string Tensor, string Shard)[] map) =>
        """{"weight_map":{""" + string.Join(',', map.Select(entry => $"\"{entry.Tensor}\":\"{entry.Shard}\"")) + "}}";
}
