using System.Reflection;
using MlaGen.Tests.Files;

namespace MlaGen.Package.Tests.Infrastructure;

/// <summary>
/// The packages, packed once into a feed outside the repository, and a place for projects that know nothing else of MlaGen. Packages are installed
/// into a folder of their own, so that nothing of an earlier run is there; what is not MlaGen's may come from the user's folder.
/// </summary>
public sealed class PackageFeed : IDisposable
{
    private static readonly string _configuration = Metadata("Configuration");

    private readonly TemporaryDirectory _root = new();

    private readonly Lazy<string[]> _jitOutput;

    public PackageFeed()
        : this(static feed =>
        {
            feed.Pack("src/MlaGen/MlaGen.csproj");
            feed.Pack("src/MlaGen.Models/MlaGen.Models.csproj");
            feed.Pack("templates/MlaGen.Templates.csproj");
        })
    {
    }

    /// <param name="fill">Lays the packages into the feed; if it fails, nothing stays behind.</param>
    internal PackageFeed(Action<PackageFeed> fill)
    {
        _jitOutput = new Lazy<string[]>(BuildAndRun);
        try
        {
            Directory.CreateDirectory(Feed);
            fill(this);
            Configure();
        }
        catch
        {
            // xUnit disposes only of a fixture that was made.
            Dispose();
            throw;
        }
    }

    public static string Repository { get; } = Metadata("RepositoryDirectory");

    public static string Version { get; } = Metadata("PackageVersion");

    public static string StoryModel { get; } = Path.Combine(Repository, "samples", "Storyteller", "StoryModel");

    public string Root => _root.Path;

    public string Feed => _root.At("feed");

    public string Packages => _root.At("packages");

    public string Package => Path.Combine(Feed, $"MlaGen.{Version}.nupkg");

    /// <summary>What the consumer prints when the JIT compiles it: what trimmed and native programs are held to on this processor.</summary>
    public string[] JitOutput => _jitOutput.Value;

    /// <summary>A new project that references the package, in a directory of its own.</summary>
    /// <param name="name">Name of directory and project.</param>
    /// <param name="properties">Further properties as XML.</param>
    /// <param name="items">Further items as XML.</param>
    /// <param name="package">The package.</param>
    /// <returns>The directory.</returns>
    public string CreateProject(string name, string properties = "", string items = "", string package = "MlaGen")
    {
        string directory = Directory.CreateDirectory(Path.Combine(Root, name)).FullName;
        File.WriteAllText(
            Path.Combine(directory, name + ".csproj"),
            $"""
            <Project Sdk="Microsoft.NET.Sdk">
              <PropertyGroup>
                <TargetFramework>net10.0</TargetFramework>
                <Nullable>enable</Nullable>
                <ImplicitUsings>enable</ImplicitUsings>
                <InvariantGlobalization>true</InvariantGlobalization>
                {properties}
              </PropertyGroup>
              <ItemGroup>
                <PackageReference Include="{package}" Version="{Version}" />
                {items}
              </ItemGroup>
            </Project>
            """);
        return directory;
    }

    /// <summary>The program of one attribute and one Forward, in a project that takes every warning for an error.</summary>
    public string CreateConsumer(string name, string properties = "")
    {
        string directory = CreateProject(
            name,
            $"<OutputType>Exe</OutputType><TreatWarningsAsErrors>true</TreatWarningsAsErrors><AnalysisLevel>latest-all</AnalysisLevel><EnforceCodeStyleInBuild>true</EnforceCodeStyleInBuild>{properties}");
        File.Copy(Path.Combine(AppContext.BaseDirectory, "Consumer", "Program.cs"), Path.Combine(directory, "Program.cs"));
        return directory;
    }

    public void Dispose() => _root.Dispose();

    private void Configure()
    {
        string userPackages = Environment.GetEnvironmentVariable("NUGET_PACKAGES")
            ?? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget", "packages");
        string fallback = Directory.Exists(userPackages) ? $"<fallbackPackageFolders><add key=\"user\" value=\"{userPackages}\" /></fallbackPackageFolders>" : string.Empty;
        File.WriteAllText(
            Path.Combine(Root, "NuGet.config"),
            $"""
            <configuration>
              <config><add key="globalPackagesFolder" value="{Packages}" /></config>
              <packageSources><add key="mlagen-tests" value="{Feed}" /></packageSources>
              {fallback}
            </configuration>
            """);
    }

    private static string Metadata(string key)
        => typeof(PackageFeed).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(attribute => attribute.Key == key).Value!;

    private string[] BuildAndRun()
    {
        string directory = CreateConsumer("consumer");
        CommandResult build = Dotnet.Run(directory, "build", "-c", "Release", "-o", "out").Succeeds();
        Assert.Contains("0 Warning(s)", build.Output, StringComparison.Ordinal);
        return Dotnet.Run(directory, "out/consumer.dll").Succeeds().Lines;
    }

    private void Pack(string project)
        => Dotnet.Run(Repository, "pack", project, "--no-build", "-c", _configuration, "-o", Feed).Succeeds();
}

/// <summary>The tests that share one feed, one after the other: each keeps the machine busy by itself.</summary>
[CollectionDefinition(Name)]
public sealed class PackageTestGroup : ICollectionFixture<PackageFeed>
{
    public const string Name = "package";
}
