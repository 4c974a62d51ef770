using System.Security;
using MlaGen.Package.Tests.Infrastructure;

namespace MlaGen.Package.Tests;

/// <summary>Projects as users have them: of other frameworks, with files of any name, with items added anywhere, without analyzers.</summary>
[Collection(PackageTestGroup.Name)]
[Trait("Category", "Package")]
public sealed class ProjectKindsTests(PackageFeed feed)
{
    /// <summary>Names that a folder may have: with what ends a value, a list, a path or a quotation somewhere on the way to the compiler, in front, within and at the end.</summary>
    private static readonly string[] _folders =
    [
        "plain", "a#b", "#c", "c#", "d;e", ";f", "f;", "it's", "p%41q", "100%", "x,y", ",z", "k=v", "[br]", "(p)", "{g}", "!n", "$(h)", "@(i)", " left", "right ", " ; both # ", "m\u00e9\u6a21", "`t`", "a  b", "q*", "w?",
        "Case", "CASE",
    ];

    private static readonly string _config = File.ReadAllText(Path.Combine(PackageFeed.StoryModel, "config.json"));

    [Theory]
    [InlineData("net8", "<TargetFramework>net8.0</TargetFramework>", "net8.0")]
    [InlineData("standard", "<TargetFramework>netstandard2.0</TargetFramework><DisableImplicitFrameworkReferences>true</DisableImplicitFrameworkReferences>", "netstandard2.0")]
    [InlineData("several", "<TargetFramework /><TargetFrameworks>net10.0;net9.0</TargetFrameworks>", "net9.0")]
    public void Project_of_an_older_framework_is_told_which_one_it_takes(string name, string properties, string framework)
    {
        string directory = feed.CreateProject("framework-" + name, properties);

        string error = Dotnet.Run(directory, "restore").Fails().Line("error NU1202", "MlaGen");
        Assert.Contains(framework, error, StringComparison.Ordinal);
        Assert.Contains("supports: net10.0", error, StringComparison.Ordinal);
    }

    [Fact]
    public void Project_that_references_one_of_an_older_framework_gets_no_further_either()
    {
        string library = feed.CreateProject("library");
        string directory = feed.CreateProject("user-of-library", "<TargetFramework>net8.0</TargetFramework>", $"<PackageReference Remove=\"MlaGen\" /><ProjectReference Include=\"{library}/library.csproj\" />");

        Assert.Contains("net10.0", Dotnet.Run(directory, "restore").Fails().Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Configuration_is_found_under_any_name_from_any_file_of_the_project()
    {
        // Of two configurations of one name the first is taken: these are none of the folders'.
        string[] named = ["\"quoted\"", "'single'", "n*", "n,y", "n;e", ";", " both ", "#", "n#b;c"];
        string items = string.Concat(_folders.Select(static folder => $"<MlaModelConfig Include=\"{Escape($"models/{folder}/config.json")}\" />"))
            + string.Concat(named.Select((name, i) => $"<MlaModelConfig Include=\"named/{i}.json\" Name=\"{Escape(name)}\" />"));
        string directory = feed.CreateProject("names", items: items);
        foreach (string folder in _folders)
        {
            Write(Path.Combine(directory, "models", folder, "config.json"));
        }

        for (int i = 0; i < named.Length; i++)
        {
            Write(Path.Combine(directory, "named", $"{i}.json"));
        }

        Write(Path.Combine(directory, "late", "config.json"));
        File.WriteAllText(
            Path.Combine(directory, "Directory.Build.targets"),
            "<Project><ItemGroup><MlaModelConfig Include=\"late/config.json\" /></ItemGroup></Project>");
        string[] asked = [.. _folders, .. named, "late"];
        File.WriteAllText(
            Path.Combine(directory, "Layers.cs"),
            string.Concat(asked.Select(static (name, i) => $"[MlaGen.MlaAttention({Literal(name)})] public sealed partial class Layer{i};\n"))
                + $"public static class All {{ public const int Sum = {string.Join(" + ", asked.Select(static (_, i) => $"Layer{i}.HiddenSize"))}; }}\n");

        Dotnet.Run(directory, "build").Succeeds();
    }

    [Fact]
    public void Checkpoint_is_found_under_any_name_from_any_file_of_the_project()
    {
        string items = string.Empty;
        string late = string.Empty;
        string directory = feed.CreateProject("checkpoint-names");
        string source = string.Empty;
        string[] paths = [.. _folders.Select(static folder => $"checkpoints/{folder}"), "checkpoints/a; #b.safetensors"];
        for (int i = 0; i < paths.Length; i++)
        {
            bool isFile = Path.GetExtension(paths[i]) == ".safetensors";
            string file = Path.Combine(directory, isFile ? paths[i] : $"{paths[i]}/model.safetensors");
            Directory.CreateDirectory(Path.GetDirectoryName(file)!);
            SafetensorsWriter.Write(file, SafetensorsWriter.Layer(0, kvLoraRank: 96));
            string item = $"<MlaCheckpoint Include=\"{Escape(paths[i])}\" Class=\"Layer{i}\" />";
            (items, late) = i % 2 == 0 ? (items + item, late) : (items, late + item);
            source += $"[MlaGen.MlaAttention(HiddenSize = 256, Heads = 8, QLoraRank = 128, KvLoraRank = 64, QkNopeHeadDim = 32, QkRopeHeadDim = 16, VHeadDim = 32)] public sealed partial class Layer{i};\n";
        }

        string project = Path.Combine(directory, "checkpoint-names.csproj");
        File.WriteAllText(project, File.ReadAllText(project).Replace("</Project>", $"<ItemGroup>{items}</ItemGroup></Project>", StringComparison.Ordinal));
        File.WriteAllText(Path.Combine(directory, "Layers.cs"), source);

        File.WriteAllText(Path.Combine(directory, "Directory.Build.targets"), $"<Project><ItemGroup>{late}</ItemGroup></Project>");

        CommandResult build = Dotnet.Run(directory, "build").Fails();
        for (int i = 0; i < paths.Length; i++)
        {
            // Every checkpoint has another rank than its class: that is how it is known to have been read.
            Assert.Contains($"of checkpoint '{paths[i]}' is [96]; expected [64]", build.Line($"Layers.cs({i + 1},", "kv_a_layernorm"), StringComparison.Ordinal);
        }

        Assert.DoesNotContain("MSB", build.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("MLA0280", build.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("-p:RunAnalyzers=false")]
    [InlineData("-p:RunAnalyzersDuringBuild=false")]
    [InlineData("-p:RunAnalyzers=true")]
    public void Wrong_class_is_reported_once_with_analyzers_or_without(string property)
    {
        string directory = feed.CreateProject("analyzers-off", items: "<MlaModelConfig Include=\"config.json\" Name=\"model\" />");
        File.WriteAllText(Path.Combine(directory, "config.json"), _config.Replace("\"kv_lora_rank\": 64", "\"kv_lora_rank\": 64000", StringComparison.Ordinal));
        File.WriteAllText(
            Path.Combine(directory, "Layers.cs"),
            "[MlaGen.MlaAttention(HiddenSize = 256)] public sealed partial class NoHeads;\n[MlaGen.MlaAttention(HiddenSize = 256, Heads = 8)] public sealed class Whole;\n[MlaGen.MlaAttention(\"model\")] public sealed partial class Wide;\n");

        CommandResult build = Dotnet.Run(directory, "build", "--no-incremental", property).Fails();
        Assert.Contains("Layers.cs(1,", build.Line("error MLA0005"), StringComparison.Ordinal);
        Assert.Contains("Layers.cs(2,", build.Line("error MLA0001"), StringComparison.Ordinal);
        Assert.Contains("config.json(", build.Line("error MLA0115"), StringComparison.Ordinal);
        Assert.Contains("3 Error(s)", build.Output, StringComparison.Ordinal);
    }

    private static void Write(string path)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, _config);
    }

    /// <summary>A text as an attribute of a project file: MSBuild's own characters, then XML's; a space at an end would be trimmed from a path.</summary>
    private static string Escape(string text)
        => SecurityElement.Escape(string.Concat(text.Select((c, i) => "%$@();*?'".Contains(c, StringComparison.Ordinal) || (c == ' ' && i == text.Length - 1) ? $"%{(int)c:X2}" : c.ToString())))!;

    private static string Literal(string text) => "\"" + text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal) + "\"";
}
