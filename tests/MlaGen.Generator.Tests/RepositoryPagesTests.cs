using System.Text.RegularExpressions;
using MlaGen.Generator.Tests.Infrastructure;

namespace MlaGen.Generator.Tests;

/// <summary>What the pages for those who carry on say about folders, files, settings and steps is so.</summary>
public partial class RepositoryPagesTests
{
    private static readonly string _architecture = Page("docs/architecture.md");

    /// <summary>Folders that builds and tools leave anywhere.</summary>
    private static readonly HashSet<string> _ignored = [.. Page(".gitignore").Split('\n').Where(static line => line.EndsWith('/')).Select(static line => line.TrimEnd('/'))];

    [Theory]
    [InlineData("generator/MlaGen.Generator")]
    [InlineData("src/MlaGen")]
    [InlineData("src/MlaGen.Models")]
    public void Every_folder_has_its_room_in_the_table(string root)
    {
        string table = _architecture.Split($"| folder of `{root}` |")[1].Split("\n\n")[0];
        IEnumerable<string> named = FirstCells().Matches(table).SelectMany(static row => Quoted().Matches(row.Value)).Select(static name => name.Groups[1].Value);

        Assert.Equal(
            Directory.GetDirectories(Path.Combine(TestProject.Repository, root)).Select(Path.GetFileName).Where(static name => name is not ("bin" or "obj" or "build")).Order(StringComparer.Ordinal),
            named.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Every_file_that_is_named_is_there()
    {
        string[] files = [.. Files("generator").Concat(Files("src")).Concat(Files("docs"))];
        string[] named = [.. PathsOfFiles().Matches(_architecture).Select(static name => name.Groups[1].Value)];

        Assert.True(named.Length >= 10);
        Assert.All(named, name => Assert.Contains(files, file => file.EndsWith("/" + name, StringComparison.Ordinal)));
    }

    [Fact]
    public void Picture_of_the_pipeline_names_every_step()
    {
        string picture = _architecture.Split("```")[1];

        Assert.All(typeof(StepNames).GetFields(), step => Assert.Contains((string)step.GetValue(null)!, picture, StringComparison.Ordinal));
    }

    /// <summary>What makes tests run for longer or on more is set by a variable and chosen by a category: one line says both.</summary>
    [Fact]
    public void Every_setting_of_the_tests_has_its_command()
    {
        string tests = string.Concat(Files("tests").Where(static file => file.EndsWith(".cs", StringComparison.Ordinal)).Select(Page));
        Match[] commands = [.. LongerCommands().Matches(Page("CONTRIBUTING.md")).Cast<Match>()];

        Assert.Equal(
            LongerRuns().Matches(tests).Select(static variable => variable.Groups[1].Value).Distinct().Order(StringComparer.Ordinal),
            commands.Select(static command => command.Groups[1].Value).Order(StringComparer.Ordinal));
        Assert.All(commands, command => Assert.Contains($"Trait(\"Category\", \"{command.Groups[2].Value}\")", tests, StringComparison.Ordinal));
    }

    [Fact]
    public void Layout_in_the_README_names_every_folder()
    {
        string table = Page("README.md").Split("## Layout\n")[1].Split("\n\n")[0];
        string[] named = [.. FirstCells().Matches(table).SelectMany(static row => Quoted().Matches(row.Value)).Select(static name => name.Groups[1].Value)];
        string[] folders = [.. Files(string.Empty).Where(static file => file.Contains('/', StringComparison.Ordinal)).Select(static file => string.Join('/', file.Split('/').SkipLast(1))).Distinct()];

        Assert.All(folders, folder => Assert.Contains(named, name => folder == name || folder.StartsWith(name + "/", StringComparison.Ordinal)));
        Assert.All(named, name => Assert.Contains(folders, folder => folder == name || folder.StartsWith(name + "/", StringComparison.Ordinal)));
    }

    private static string Page(string path) => File.ReadAllText(Path.Combine(TestProject.Repository, path));

    /// <summary>Files below a folder, by their paths in the repository, without what builds leave there.</summary>
    private static IEnumerable<string> Files(string folder)
        => Directory.EnumerateFiles(Path.Combine(TestProject.Repository, folder), "*", SearchOption.AllDirectories)
            .Select(static file => Path.GetRelativePath(TestProject.Repository, file).Replace('\\', '/'))
            .Where(static file => !file.StartsWith('.') && !file.Split('/').Any(_ignored.Contains));

    [GeneratedRegex(@"(?<=^\| )`[^|]*(?= \|)", RegexOptions.Multiline)]
    private static partial Regex FirstCells();

    [GeneratedRegex("`([^`]+)`")]
    private static partial Regex Quoted();

    [GeneratedRegex(@"`([A-Za-z./]+\.(?:cs|md))`")]
    private static partial Regex PathsOfFiles();

    [GeneratedRegex("\"(MLAGEN_(?:FULL_GRIDS|LARGE_MEMORY|CLUSTER_FAULTS|[A-Z]+_MINUTES))\"")]
    private static partial Regex LongerRuns();

    [GeneratedRegex(@"`(MLAGEN_[A-Z_]+)=[0-9]+ dotnet test tests/MlaGen\.(?:(?:Chat|Cluster)\.)?Tests -c Release --filter Category=([A-Za-z]+)`")]
    private static partial Regex LongerCommands();
}
