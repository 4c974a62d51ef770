using System.Security;
using MlaGen.Package.Tests.Infrastructure;

namespace MlaGen.Package.Tests;

/// <summary>Projects as users have them: of other frameworks, with files of any name, with items added anywhere, without analyzers.</summary>
[Collection(PackageTestGroup.Name)]
[Trait("Category", "Package")]
public sealed class ProjectKindsTests(PackageFeed feed)
{
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

    /// <summary>Names that a configuration's folder or its Name may have: what ends a value, a list or a quotation somewhere on the way to the compiler.</summary>
    [Fact]
    public void Configuration_is_found_under_any_name_from_any_file_of_the_project()
    {
        string[] names = ["plain", "a#b", "#c", "d;e", ";f", "it's", "p%41q", "100%", "x,y", "k=v", "[br]", "(p)", "{g}", "!n", "$(h)", "@(i)", " left", "right ", "m\u00e9\u6a21", "`t`", "a  b", "q*", "Case", "CASE"];
        string[] folders = [.. names.Where(static name => !name.Contains('*', StringComparison.Ordinal) && !name.Contains(',', StringComparison.Ordinal) && !name.Contains(';', StringComparison.Ordinal))];
        string[] named = ["\"quoted\"", "'single'", "q*", "x,y", "d;e", " both ", "#", "a#b;c"];
        string items = string.Concat(folders.Select(static folder => $"<MlaModelConfig Include=\"{Escape($"models/{folder}/config.json")}\" />"))
            + string.Concat(named.Select((name, i) => $"<MlaModelConfig Include=\"named/{i}.json\" Name=\"{Escape(name)}\" />"));
        string directory = feed.CreateProject("names", items: items);
        foreach (string folder in folders)
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
        string[] asked = [.. folders, .. named, "late"];
        File.WriteAllText(
            Path.Combine(directory, "Layers.cs"),
            string.Concat(asked.Select(static (name, i) => $"[MlaGen.MlaAttention({Literal(name)})] public sealed partial class Layer{i};\n"))
                + $"public static class All {{ public const int Sum = {string.Join(" + ", asked.Select(static (_, i) => $"Layer{i}.HiddenSize"))}; }}\n");

        Dotnet.Run(directory, "build").Succeeds();
    }

    [Fact]
    public void Checkpoint_is_found_in_a_folder_of_any_name()
    {
        string items = string.Empty;
        string[] folders = ["a#b", "it's", "p%41q", " left", "(p)"];
        string directory = feed.CreateProject("checkpoint-names");
        string source = string.Empty;
        for (int i = 0; i < folders.Length; i++)
        {
            string folder = Directory.CreateDirectory(Path.Combine(directory, "checkpoints", folders[i])).FullName;
            SafetensorsWriter.Write(Path.Combine(folder, "model.safetensors"), SafetensorsWriter.Layer(0, kvLoraRank: 96));
            items += $"<MlaCheckpoint Include=\"{Escape($"checkpoints/{folders[i]}")}\" Class=\"Layer{i}\" />";
            source += $"[MlaGen.MlaAttention(HiddenSize = 256, Heads = 8, QLoraRank = 128, KvLoraRank = 64, QkNopeHeadDim = 32, QkRopeHeadDim = 16, VHeadDim = 32)] public sealed partial class Layer{i};\n";
        }

        string project = Path.Combine(directory, "checkpoint-names.csproj");
        File.WriteAllText(project, File.ReadAllText(project).Replace("</Project>", $"<ItemGroup>{items}</ItemGroup></Project>", StringComparison.Ordinal));
        File.WriteAllText(Path.Combine(directory, "Layers.cs"), source);

        string output = Dotnet.Run(directory, "build").Fails().Output;
        for (int i = 0; i < folders.Length; i++)
        {
            // Every checkpoint has another rank than its class: that is how it is known to have been read.
            Assert.Contains($"Layers.cs({i + 1},", output, StringComparison.Ordinal);
        }

        Assert.DoesNotContain("MSB", output, StringComparison.Ordinal);
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
