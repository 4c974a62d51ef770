using MlaGen.Runtime;
using MlaGen.Tests.Caching;
using MlaGen.Tests.Processes;
using MlaGen.Tests.Storyteller;

namespace MlaGen.Tests.Files;

/// <summary>Only regular files are opened: whatever else stands at a path is named, and never waited for.</summary>
public sealed class RegularFileTests : IDisposable
{
    private const string Single = "model.safetensors";
    private const string Index = "model.safetensors.index.json";
    private const string Shard = "model-1.safetensors";

    private readonly TemporaryDirectory _directory = new();

    /// <summary>Each kind, at the path itself and behind a link.</summary>
    public static TheoryData<string, bool> Kinds
    {
        get
        {
            TheoryData<string, bool> kinds = [];
            foreach (string kind in SpecialFiles.Kinds)
            {
                kinds.Add(kind, false);
                kinds.Add(kind, true);
            }

            return kinds;
        }
    }

    public void Dispose() => _directory.Dispose();

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task A_safetensors_file(string kind, bool behindLink)
    {
        string path = _directory.At(Single);
        SpecialFiles.Make(kind, path, behindLink);
        CheckpointException e = await SpecialFiles.Throws<CheckpointException>(() => SafetensorsFile.Open(path));
        Assert.Contains($"{path}: is {kind}; expected a file", e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task The_only_file_of_a_checkpoint(string kind, bool behindLink)
    {
        SpecialFiles.Make(kind, _directory.At(Single), behindLink);
        CheckpointException e = await SpecialFiles.Throws<CheckpointException>(() => Checkpoint.Open(_directory.Path));

        // A device lies outside of the directory, and a directory is no file that it has.
        Assert.True(kind is not ("a pipe" or "a socket") || e.Message.Contains($"is {kind}", StringComparison.Ordinal), e.Message);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task An_index(string kind, bool behindLink)
    {
        SpecialFiles.Make(kind, _directory.At(Index), behindLink);
        CheckpointException e = await SpecialFiles.Throws<CheckpointException>(() => Checkpoint.Open(_directory.Path));
        Assert.True(kind is not ("a pipe" or "a socket") || e.Message.Contains($"is {kind}", StringComparison.Ordinal), e.Message);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task A_shard(string kind, bool behindLink)
    {
        _directory.Write(Index, "{\"weight_map\":{\"a\":\"" + Shard + "\"}}");
        SpecialFiles.Make(kind, _directory.At(Shard), behindLink);
        CheckpointException e = await SpecialFiles.Throws<CheckpointException>(() => Checkpoint.Open(_directory.Path));
        Assert.True(kind == "a device" || e.Message.Contains($"is {kind}", StringComparison.Ordinal), e.Message);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task A_cache_file(string kind, bool behindLink)
    {
        string path = _directory.At("story.cache");
        SpecialFiles.Make(kind, path, behindLink);
        using LatentCache<TinyAttention> cache = new(layers: 1, maxTokens: 16);
        IOException e = await SpecialFiles.Throws<IOException>(() => cache.Load(path));
        Assert.Contains($"{path} is {kind}", e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("config.json", false)]
    [InlineData("config.json", true)]
    [InlineData("tokenizer.json", false)]
    [InlineData("tokenizer.json", true)]
    [InlineData("more.safetensors", false)]
    public async Task Any_file_of_a_storytellers_model(string name, bool behindLink)
    {
        foreach (string file in Directory.GetFiles(StoryData.ModelDirectory))
        {
            File.Copy(file, _directory.At(Path.GetFileName(file)));
        }

        File.Delete(_directory.At(name));
        SpecialFiles.Make(OperatingSystem.IsWindows() ? "a directory" : "a pipe", _directory.At(name), behindLink);
        (int ExitCode, string Output, string Error) run = default;
        await Task.Run(() => run = StoryProgram.Run("--model", _directory.Path, "--max-tokens", "1", "--save", _directory.At("story.cache"), "--prompt", "Once")).WaitAsync(TimeSpan.FromMinutes(2));
        Assert.Equal(2, run.ExitCode);
        Assert.Contains(name, run.Error, StringComparison.Ordinal);
    }

    /// <summary>A pipe that takes the place of a file between the look at it and the opening is opened, but not waited for.</summary>
    [PlatformFact(Platform.Posix)]
    public async Task A_pipe_is_not_waited_for_even_when_it_is_opened()
    {
        string path = _directory.At("pipe");
        SpecialFiles.MakePipe(path);
        await SpecialFiles.Throws<NotSupportedException>(() =>
        {
            using var handle = Posix.OpenForReading(path);
            RandomAccess.GetLength(handle);
        });
    }

    /// <summary>That the names have reached the disk cannot be seen; that the directory is opened for it can.</summary>
    [PlatformFact(Platform.Posix)]
    public void The_names_in_a_directory_are_flushed_where_it_can_be_opened()
    {
        _directory.Write("file", "text");
        Posix.FlushDirectory(_directory.Path);
        Assert.Throws<FileNotFoundException>(() => Posix.FlushDirectory(_directory.At("nothing")));
        Assert.Equal([_directory.At("file")], Directory.GetFileSystemEntries(_directory.Path));
    }

    [Fact]
    public void A_path_does_not_end_at_a_zero_and_goes_back_by_name()
    {
        string file = _directory.Write("file", "text");
        Directory.CreateDirectory(_directory.At("deep/er"));
        Directory.CreateSymbolicLink(_directory.At("link"), "deep/er");
        using LatentCache<TinyAttention> cache = new(layers: 1, maxTokens: 16);
        Assert.Throws<ArgumentException>(() => cache.Load(file + "\0.cache"));
        Assert.Throws<ArgumentException>(() => cache.Save(file + "\0.cache"));
        Assert.Throws<ArgumentException>(() => SafetensorsFile.Open(file + "\0.safetensors"));
        using var handle = RegularFile.OpenRead(_directory.At("link/../file"), out long length);
        Assert.Equal(4, length);
    }

    [Fact]
    public void Files_directories_and_links_to_them_are_told_apart_however_long_they_are()
    {
        string file = _directory.Write("file", "text");
        string empty = _directory.Write("empty", "");
        string link = _directory.At("link");
        File.CreateSymbolicLink(link, "empty");
        File.CreateSymbolicLink(_directory.At("nowhere"), "nothing");
        Assert.Equal(FileKind.Regular, FileStatus.Of(file).Kind);
        Assert.Equal(FileKind.Directory, FileStatus.Of(_directory.Path).Kind);
        Assert.Equal(FileKind.Missing, FileStatus.Of(_directory.At("nothing")).Kind);
        Assert.Equal(FileKind.Missing, FileStatus.Of(_directory.At("nowhere")).Kind);
        if (Posix.IsSupported && !OperatingSystem.IsWindows())
        {
            Assert.Equal(FileKind.Regular, FileStatus.Of(empty).Kind);
            Assert.Equal(FileKind.Regular, FileStatus.Of(link).Kind);
            Assert.Equal(FileKind.Device, FileStatus.Of("/dev/null").Kind);
            Assert.Equal(File.GetUnixFileMode(file), FileStatus.Of(file).Rights);
        }
    }
}
