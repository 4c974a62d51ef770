using System.Text.Json;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using MlaGen.Package.Tests.Infrastructure;

namespace MlaGen.Package.Tests;

/// <summary>The examples of all pages about diagnostics in one project, built by the compiler of the command line: what its SARIF log lists.</summary>
[Collection(PackageTestGroup.Name)]
[Trait("Category", "Package")]
public sealed partial class BrokenExamplesTests(PackageFeed feed)
{
    // An example that says which framework or language it takes needs a project of its own: MlaGen.Generator.Tests has one for each.
    // So does one that hides a type from all others, and the generator's own failure has none.
    private static readonly string[] _ownProject = ["<TargetFramework>", "<LangVersion>", "namespace MlaGen\n"];

    private static readonly string[] _withoutExample = ["MLA0029"];

    [Fact]
    public void Each_example_is_reported_by_its_id_and_by_no_other()
    {
        List<string> ids = [];
        string items = string.Empty;
        string directory = feed.CreateProject("broken-examples", "<NoWarn>$(NoWarn);CA1050</NoWarn><ErrorLog>build.sarif,version=2.1</ErrorLog>");
        foreach (string page in Directory.GetFiles(Path.Combine(PackageFeed.Repository, "docs", "diagnostics")).Where(page => CompilerRule().IsMatch(page) && !_withoutExample.Contains(Path.GetFileNameWithoutExtension(page))).Order(StringComparer.Ordinal))
        {
            string id = Path.GetFileNameWithoutExtension(page);
            string example = File.ReadAllText(page).Split("\n## ").Single(static section => section.StartsWith("Example\n", StringComparison.Ordinal));
            if (!_ownProject.Any(setting => example.Contains(setting, StringComparison.Ordinal)))
            {
                items += Lay(id, example, Directory.CreateDirectory(Path.Combine(directory, id)).FullName);
                ids.Add(id);
            }
        }

        string project = Path.Combine(directory, "broken-examples.csproj");
        File.WriteAllText(project, File.ReadAllText(project).Replace("</Project>", $"<ItemGroup>{items}</ItemGroup></Project>", StringComparison.Ordinal));
        Dotnet.Run(directory, "build").Fails();

        Assert.True(ids.Count > 40, $"Only {ids.Count} examples were found.");
        ILookup<string, string> reported = Reported(Path.Combine(directory, "build.sarif"));
        Assert.All(ids, id => Assert.Equal([id], reported[id].Distinct()));
        Assert.Equal(ids.Order(StringComparer.Ordinal), reported.Select(static found => found.Key).Order(StringComparer.Ordinal));
    }

    /// <summary>Writes the files of one example, each under a name of its own, and returns its items.</summary>
    private static string Lay(string id, string example, string directory)
    {
        Dictionary<string, string> blocks = FencedBlock().Matches(example).ToDictionary(static block => block.Groups[1].Value, static block => block.Groups[2].Value);
        string source = blocks.GetValueOrDefault("csharp") ?? "using MlaGen;\n[MlaAttention(\"model\")] public sealed partial class Attention;\n";
        bool isConfig = blocks.ContainsKey("json") || !blocks.ContainsKey("csharp");
        bool isCheckpoint = blocks.ContainsKey("text");

        // Names are the project's, so each example's get its id; a namespace does the same for its classes.
        source = source.Replace("MlaAttention(\"", $"MlaAttention(\"{id}-", StringComparison.Ordinal);
        Match usings = Usings().Match(source);
        File.WriteAllText(Path.Combine(directory, "Example.cs"), source.Insert(usings.Length, $"namespace {id};\n"));
        if (isCheckpoint)
        {
            // Of a compiler's view: the file that the task would write.
            File.WriteAllText(Path.Combine(directory, "example.mlacheckpoint"), blocks["text"]);
            return $"<AdditionalFiles Include=\"{id}/example.mlacheckpoint\" MlaCheckpointClass=\"{id}.Attention\" />";
        }

        return isConfig ? LayConfigs(id, blocks, directory) : string.Empty;
    }

    private static string LayConfigs(string id, Dictionary<string, string> blocks, string directory)
    {
        XElement items = XElement.Parse($"<ItemGroup>{blocks.GetValueOrDefault("xml") ?? "<MlaModelConfig Include=\"model/config.json\" />"}</ItemGroup>");
        string written = string.Empty;
        foreach (XElement item in items.Elements("MlaModelConfig"))
        {
            string path = (string)item.Attribute("Include")!;
            string name = (string?)item.Attribute("Name") ?? Path.GetFileName(Path.GetDirectoryName(path)!);
            if (blocks.TryGetValue("json", out string? json))
            {
                Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(directory, path))!);
                File.WriteAllText(Path.Combine(directory, path), json);
            }

            written += $"<MlaModelConfig Include=\"{id}/{path}\" Name=\"{id}-{name}\" />";
        }

        return written;
    }

    /// <summary>Ids of the MLA diagnostics by the example that they are reported in.</summary>
    private static ILookup<string, string> Reported(string sarif)
    {
        using JsonDocument log = JsonDocument.Parse(File.ReadAllText(sarif));
        return log.RootElement.GetProperty("runs")[0].GetProperty("results").EnumerateArray()
            .Select(static result => (Id: result.GetProperty("ruleId").GetString()!, Where: Where(result)))
            .Where(static result => result.Id.StartsWith("MLA", StringComparison.Ordinal))
            .ToLookup(static result => result.Where, static result => result.Id);
    }

    private static string Where(JsonElement result)
    {
        // What has no place names the class, and so the example's namespace, in its message.
        string text = result.TryGetProperty("locations", out JsonElement locations) && locations.GetArrayLength() > 0
            ? locations[0].GetProperty("physicalLocation").GetProperty("artifactLocation").GetProperty("uri").GetString()!
            : result.GetProperty("message").GetProperty("text").GetString()!;
        return Id().Match(text).Value;
    }

    [GeneratedRegex("^```(\\w+)\n(.*?)^```$", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex FencedBlock();

    // The attribute, configurations, checkpoints and call sites; from MLA0280 to MLA0299 it is the build that speaks.
    [GeneratedRegex(@"MLA0([013]\d\d|2[0-7]\d)\.md$")]
    private static partial Regex CompilerRule();

    [GeneratedRegex(@"\A(using [\w.]+;\n)+")]
    private static partial Regex Usings();

    [GeneratedRegex("MLA[0-9]{4}")]
    private static partial Regex Id();
}
