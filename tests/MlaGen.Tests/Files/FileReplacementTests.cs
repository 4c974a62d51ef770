using System.Runtime.Versioning;
using MlaGen.Runtime;
using MlaGen.Tests.Caching;
using MlaGen.Tests.Processes;

namespace MlaGen.Tests.Files;

/// <summary>Where a file of sequences goes: a regular file is replaced as a whole, nothing else is touched.</summary>
public sealed class FileReplacementTests : IDisposable
{
    private static readonly int[] Note = [1, 2, 3];

    private readonly TemporaryDirectory _directory = new();
    private readonly LatentCache<TinyAttention> _cache = new(layers: 2, maxTokens: 64);
    private readonly LatentSequence _sequence;

    public FileReplacementTests()
    {
        _sequence = _cache.CreateSequence();
        using MlaBatch<TinyAttention> batch = _cache.CreateBatch();
        batch.Append(_sequence, 7);
    }

    public static TheoryData<string, bool> Kinds => RegularFileTests.Kinds;

    public static TheoryData<string, bool> TakenNames
    {
        get
        {
            TheoryData<string, bool> names = Kinds;
            foreach (string kind in (string[])["a file", "a link", "a link to nothing"])
            {
                names.Add(kind, false);
            }

            return names;
        }
    }

    public void Dispose()
    {
        _sequence.Dispose();
        _cache.Dispose();
        _directory.Dispose();
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task What_is_no_regular_file_is_refused_and_stays(string kind, bool behindLink)
    {
        string path = _directory.At("story.cache");
        SpecialFiles.Make(kind, path, behindLink);
        string[] before = Directory.GetFileSystemEntries(_directory.Path);
        string? link = new FileInfo(path).LinkTarget;

        IOException e = await SpecialFiles.Throws<IOException>(() => Save(path));

        Assert.Contains($"{path} is {kind}", e.Message, StringComparison.Ordinal);
        Assert.Equal(before, Directory.GetFileSystemEntries(_directory.Path));
        Assert.Equal(link, new FileInfo(path).LinkTarget);
        Assert.Equal(kind, FileStatus.Of(path).Describe());
        _sequence.Truncate(_sequence.Length); // Not left held.
    }

    /// <summary>A device, and what is open in this process. Where this process could replace the system's own, it is given others.</summary>
    [PlatformFact(Platform.Posix)]
    public async Task Devices_and_what_is_open_by_a_number_are_refused()
    {
        string[] paths = ["/dev/full", "/dev/stdout", "/dev/fd/0"];
        if (Environment.IsPrivilegedProcess)
        {
            paths = [_directory.At("full"), _directory.At("stdout"), _directory.At("0")];
            SpecialFiles.Make("a device", paths[0]);
            File.CreateSymbolicLink(paths[1], "/proc/self/fd/1");
            File.CreateSymbolicLink(paths[2], "/proc/self/fd/0");
        }

        Assert.Equal(FileKind.Device, FileStatus.Of(paths[0]).Kind);
        foreach (string path in paths)
        {
            FileKind kind = FileStatus.Of(path).Kind;
            string directory = Path.GetDirectoryName(path)!;
            string[] before = Directory.GetFiles(directory);

            // The output of this process may be a file, which may be replaced.
            if (kind is FileKind.Pipe or FileKind.Device or FileKind.Socket)
            {
                await SpecialFiles.Throws<IOException>(() => Save(path));
                Assert.Equal(kind, FileStatus.Of(path).Kind);
                Assert.Equal(before, Directory.GetFiles(directory));
            }
        }
    }

    [Theory]
    [InlineData("target")]
    [InlineData("elsewhere/target")]
    [InlineData("second")]
    public void A_link_is_followed_and_stays(string target)
    {
        Directory.CreateDirectory(_directory.At("elsewhere"));
        File.CreateSymbolicLink(_directory.At("second"), "elsewhere/third");
        File.CreateSymbolicLink(_directory.At("elsewhere/third"), "../target");
        File.CreateSymbolicLink(_directory.At("link"), target);

        // First it leads to nothing yet, then to a file.
        for (int i = 0; i < 2; i++)
        {
            Save(_directory.At("link"));
            Assert.Equal(target, new FileInfo(_directory.At("link")).LinkTarget);
            Assert.Equal("../target", new FileInfo(_directory.At("elsewhere/third")).LinkTarget);
            string real = target == "second" ? "target" : target;
            Assert.Null(new FileInfo(_directory.At(real)).LinkTarget);
            AssertLoads(_directory.At("link"));
            AssertLoads(_directory.At(real));
        }

        AssertNothingBeside("link", "second", "target");
    }

    [Fact]
    public void Links_in_a_circle_and_a_name_that_ends_like_a_directorys_are_refused()
    {
        File.CreateSymbolicLink(_directory.At("a"), "b");
        File.CreateSymbolicLink(_directory.At("b"), "a");
        Assert.ThrowsAny<IOException>(() => Save(_directory.At("a")));
        Assert.Contains("no name of a file", Assert.Throws<IOException>(() => Save(_directory.At("c") + Path.DirectorySeparatorChar)).Message, StringComparison.Ordinal);
        Assert.Contains("there is no directory", Assert.Throws<DirectoryNotFoundException>(() => Save(_directory.At("d/e"))).Message, StringComparison.Ordinal);
        AssertNothingBeside("a", "b");
    }

    [PlatformTheory(Platform.Unix)]
    [UnsupportedOSPlatform("windows")]
    [InlineData(0x180)]
    [InlineData(0x1A0)]
    [InlineData(0x1B4)]
    [InlineData(0x124)]
    [InlineData(0x100)]
    public void A_file_that_is_replaced_keeps_its_permissions(int mode)
    {
        string path = _directory.Write("story.cache", "");
        File.SetUnixFileMode(path, (UnixFileMode)mode);
        Save(path);
        Assert.Equal((UnixFileMode)mode, File.GetUnixFileMode(path));
        File.SetUnixFileMode(path, (UnixFileMode)0x180);
        AssertLoads(path);
    }

    [PlatformFact(Platform.Unix)]
    [UnsupportedOSPlatform("windows")]
    public void A_new_file_has_the_permissions_of_any_new_file()
    {
        string other = _directory.Write("other", "");
        Save(_directory.At("story.cache"));
        Assert.Equal(File.GetUnixFileMode(other), File.GetUnixFileMode(_directory.At("story.cache")));
    }

    /// <summary>Nobody else may read a private file while it is written either.</summary>
    [PlatformFact(Platform.Unix)]
    [UnsupportedOSPlatform("windows")]
    public void A_private_file_is_private_from_the_first_byte()
    {
        string path = _directory.Write("story.cache", "");
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        using FileReplacement file = new(path, 0);
        string temporary = Assert.Single(Directory.GetFiles(_directory.Path), name => name != path);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(temporary));
    }

    [Fact]
    public void A_name_may_be_as_long_as_names_can_be()
    {
        string path = _directory.At(new string('n', 255));
        Save(path);
        AssertLoads(path);
    }

    [Fact]
    public void What_is_not_committed_leaves_nothing()
    {
        using (FileReplacement file = new(_directory.At("story.cache"), 1 << 20))
        {
            Assert.Single(Directory.GetFiles(_directory.Path));
        }

        Assert.Empty(Directory.GetFiles(_directory.Path));
    }

    /// <summary>Names cannot be foreseen, and whatever has the one that is drawn is neither opened nor followed.</summary>
    [Fact]
    public void Every_save_has_a_temporary_name_of_its_own()
    {
        using FileReplacement first = new(_directory.At("story.cache"), 0);
        using FileReplacement second = new(_directory.At("story.cache"), 0);
        using FileReplacement other = new(_directory.At("other.cache"), 0);
        Assert.Equal(3, Directory.GetFiles(_directory.Path).Length);
    }

    [PlatformFact(Platform.Unix)]
    public void Links_and_pipes_beside_a_file_are_neither_written_to_nor_waited_for()
    {
        string victim = _directory.Write("victim", "untouched");
        string path = _directory.At("story.cache");
        File.CreateSymbolicLink(path + ".tmp", victim);
        SpecialFiles.MakePipe(_directory.At(".mlagen-.tmp"));
        SpecialFiles.MakePipe(path + "~");
        Save(path);
        AssertLoads(path);
        Assert.Equal("untouched", File.ReadAllText(victim));
    }

    /// <summary>Names that are drawn may be met for once: what stands there is not opened, followed, waited for or taken away.</summary>
    [Theory]
    [MemberData(nameof(TakenNames))]
    public async Task What_has_the_temporary_name_is_neither_written_to_nor_removed(string kind, bool behindLink)
    {
        string path = _directory.Write("story.cache", "old");
        string victim = _directory.Write("victim", "untouched");
        string temporary = _directory.At("temporary");
        switch (kind)
        {
            case "a file":
                _directory.Write("temporary", "of another");
                break;
            case "a link":
                File.CreateSymbolicLink(temporary, victim);
                break;
            case "a link to nothing":
                File.CreateSymbolicLink(temporary, _directory.At("nothing"));
                break;
            default:
                SpecialFiles.Make(kind, temporary, behindLink);
                break;
        }

        string[] before = Directory.GetFileSystemEntries(_directory.Path);
        string? link = new FileInfo(temporary).LinkTarget;

        await SpecialFiles.Throws<IOException>(() => new FileReplacement(path, 1, "temporary").Dispose());

        Assert.Equal(before, Directory.GetFileSystemEntries(_directory.Path));
        Assert.Equal(link, new FileInfo(temporary).LinkTarget);
        Assert.Equal(("old", "untouched"), (File.ReadAllText(path), File.ReadAllText(victim)));
        Assert.True(kind != "a file" || File.ReadAllText(temporary) == "of another");
    }

    private void Save(string path) => _cache.Save(path, new SavedSequence(_sequence, Note));

    private void AssertLoads(string path)
    {
        SavedSequence saved = Assert.Single(_cache.Load(path));
        Assert.Equal(Note, saved.Tokens.ToArray());
        Assert.Equal(7, saved.Sequence.Length);
        saved.Sequence.Dispose();
    }

    private void AssertNothingBeside(params string[] names) => Assert.Empty(Directory.GetFiles(_directory.Path).Select(Path.GetFileName).Except(names));
}
