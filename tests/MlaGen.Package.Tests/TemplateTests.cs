using System.IO.Compression;
using MlaGen.Package.Tests.Infrastructure;

namespace MlaGen.Package.Tests;

/// <summary>The dotnet new template.</summary>
[Collection(PackageTestGroup.Name)]
[Trait("Category", "Package")]
public sealed class TemplateTests(PackageFeed feed)
{
    [Fact]
    public void Template_installs_and_what_it_makes_builds_and_runs()
    {
        string hive = Path.Combine(feed.Root, "hive");
        Dotnet.Run(feed.Root, "new", "install", Path.Combine(feed.Feed, $"MlaGen.Templates.{PackageFeed.Version}.nupkg"), "--debug:custom-hive", hive).Succeeds();
        Dotnet.Run(feed.Root, "new", "mlagen-console", "-n", "Told", "--debug:custom-hive", hive).Succeeds();
        string directory = Path.Combine(feed.Root, "Told");

        Assert.Contains("0 Warning(s)", Dotnet.Run(directory, "build", "-p:TreatWarningsAsErrors=true").Succeeds().Output, StringComparison.Ordinal);
        string[] lines = Dotnet.Run(directory, "run", "--no-build").Succeeds().Lines;
        Assert.StartsWith("80 floats a token and layer", lines[0], StringComparison.Ordinal);
        Assert.StartsWith("tokens: 1 more, 20 in all", lines[^1], StringComparison.Ordinal);

        // A model laid beside it is compared with the class.
        string model = Directory.CreateDirectory(Path.Combine(directory, "model")).FullName;
        File.Copy(Path.Combine(PackageFeed.StoryModel, "config.json"), Path.Combine(model, "config.json"));
        SafetensorsWriter.Write(Path.Combine(model, "model.safetensors"), SafetensorsWriter.Layer(0, kvLoraRank: 96));
        Dotnet.Run(directory, "build", "--no-restore").Fails().Line("error MLA0200", "kv_a_proj_with_mqa.weight");
    }

    [Fact]
    public void Template_asks_for_the_version_that_it_is_packed_with()
    {
        using ZipArchive package = ZipFile.OpenRead(Path.Combine(feed.Feed, $"MlaGen.Templates.{PackageFeed.Version}.nupkg"));
        using var project = new StreamReader(package.GetEntry("content/mlagen-console/MlaGenConsole.csproj")!.Open());

        Assert.Contains($"<PackageReference Include=\"MlaGen\" Version=\"{PackageFeed.Version}\" />", project.ReadToEnd(), StringComparison.Ordinal);
        Assert.Contains(package.Entries, static entry => entry.FullName == "content/mlagen-console/.template.config/template.json");
    }
}
