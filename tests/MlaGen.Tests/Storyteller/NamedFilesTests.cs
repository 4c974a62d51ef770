using MlaGen.Tests.Files;
using MlaGen.Tests.Processes;
using static MlaGen.Tests.Storyteller.StoryProgram;

namespace MlaGen.Tests.Storyteller;

/// <summary>What cannot be read or kept is told before the story, in one line, and nothing is left behind.</summary>
public sealed class NamedFilesTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public static TheoryData<string> Devices => OperatingSystem.IsLinux() ? ["/dev/null", "/dev/full"] : ["/dev/null"];

    public static TheoryData<string, string> EmptyValues
    {
        get
        {
            TheoryData<string, string> values = [];
            foreach (string option in (string[])["--save", "--resume", "--cache", "--model", "--prompt-file", "--recall", "--max-tokens", "--threads", "--temperature", "--seed", "--chunk"])
            {
                values.Add(option, "");
                values.Add(option, "  ");
            }

            return values;
        }
    }

    [Theory]
    [MemberData(nameof(EmptyValues))]
    public void An_empty_value_of_any_option_but_a_prompt_is_refused(string option, string value) => AssertFails($"{option} takes ", option, value);

    [Fact]
    public void A_place_in_no_directory_is_refused() => AssertFails("--save /nowhere/at/all: there is no directory /nowhere/at", Saving("/nowhere/at/all"));

    [Fact]
    public void A_directory_is_no_place_for_a_file()
    {
        AssertFails("is a directory", Saving(_directory.Path));
        AssertFails("is a directory", Saving(Path.Combine(_directory.Path, "missing") + Path.DirectorySeparatorChar));
    }

    [Fact]
    public void A_name_that_no_file_can_have_is_refused() => AssertFails("no file can be written there", Saving(Path.Combine(_directory.Path, new string('a', 300))));

    [Fact]
    public void A_place_below_a_file_is_refused() => AssertFails("there is no directory", Saving(Path.Combine(_directory.Write("file", []), "below")));

    [PlatformTheory(Platform.Unix)]
    [MemberData(nameof(Devices))]
    public void A_device_is_refused(string path) => AssertFails("is a device or a pipe", Saving(path));

    [PlatformFact(Platform.Unix)]
    public void A_pipe_is_refused_and_not_waited_for()
    {
        string pipe = _directory.At("pipe");
        SpecialFiles.MakePipe(pipe);
        AssertFails("is a device or a pipe", Saving(pipe));
    }

    [PlatformFact(Platform.Unix)]
    public void A_link_is_judged_by_where_it_leads()
    {
        string link = Path.Combine(_directory.Path, "link");
        File.CreateSymbolicLink(link, "/nowhere/at/all");
        AssertFails("there is no directory", Saving(link));

        string itself = Path.Combine(_directory.Path, "itself");
        File.CreateSymbolicLink(itself, itself);
        AssertFails("no file can be written there", Saving(itself));
    }

    /// <summary>Files below /proc are made by the system alone, for whichever user.</summary>
    [PlatformFact(Platform.Linux)]
    public void Where_nothing_may_be_written_is_refused() => AssertFails("no file can be written there", Saving("/proc/story"));

    [Fact]
    public void Looking_at_a_place_leaves_nothing_there_and_changes_nothing()
    {
        string kept = _directory.Write("kept", [1, 2, 3]);

        // Refused for another reason, after the place was found good.
        AssertFails("nowhere", [.. Saving(kept), "--model", "/nowhere/at/all"]);
        AssertFails("context ends", "--save", kept, "--prompt", string.Concat(Enumerable.Repeat(" the", 1024)));

        Assert.Equal([1, 2, 3], File.ReadAllBytes(kept));
        Assert.Equal([kept], Directory.GetFileSystemEntries(_directory.Path));
    }

    [Fact]
    public void An_empty_file_that_waits_for_the_story_is_a_good_place()
    {
        string file = _directory.Write("empty", []);

        Assert.NotEmpty(Tell(Saving(file)));

        Assert.NotEmpty(File.ReadAllBytes(file));
    }

    [Theory]
    [InlineData("--resume")]
    [InlineData("--prompt-file")]
    [InlineData("--recall")]
    public void What_is_read_must_be_a_file_that_is_there(string option)
    {
        AssertFails($"{option}: there is no file /nowhere/at/all", option, "/nowhere/at/all");
        AssertFails($"{option} takes a file, and {_directory.Path} is a directory", option, _directory.Path);
    }

    [Fact]
    public void A_model_is_a_directory_that_is_there()
    {
        AssertFails("--model: there is no directory /nowhere/at/all", "--model", "/nowhere/at/all");
        string file = _directory.Write("file", []);
        AssertFails($"--model takes a directory, and {file} is a file", "--model", file);
    }

    [Fact]
    public void A_word_that_belongs_to_no_option_is_told_what_to_write() => AssertFails("'Once' is no option; --prompt gives a story's beginning", "Once");

    public void Dispose() => _directory.Dispose();

    private static string[] Saving(string path) => ["--max-tokens", "1", "--prompt", "a", "--save", path];
}
