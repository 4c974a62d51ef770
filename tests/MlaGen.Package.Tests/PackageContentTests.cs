using System.IO.Compression;
using MlaGen.Package.Tests.Infrastructure;

namespace MlaGen.Package.Tests;

/// <summary>What is in the package.</summary>
[Collection(PackageTestGroup.Name)]
[Trait("Category", "Package")]
public sealed class PackageContentTests(PackageFeed feed)
{
    [Fact]
    public void Package_holds_runtime_analyzers_task_and_build_files_and_nothing_else()
    {
        using ZipArchive package = ZipFile.OpenRead(feed.Package);
        string[] files =
        [
            .. package.Entries
                .Select(static entry => entry.FullName)
                .Where(static name => !name.StartsWith("_rels/", StringComparison.Ordinal) && !name.StartsWith("package/", StringComparison.Ordinal) && name != "[Content_Types].xml")
                .Order(StringComparer.Ordinal),
        ];
        string[] expected =
        [
            "MlaGen.nuspec",
            "README.md",
            "analyzers/dotnet/cs/MlaGen.CodeFixes.dll",
            "analyzers/dotnet/cs/MlaGen.Generator.dll",
            "build/net10.0/MlaGen.props",
            "build/net10.0/MlaGen.targets",
            "buildTransitive/net10.0/MlaGen.props",
            "buildTransitive/net10.0/MlaGen.targets",
            "icon.png",
            "lib/net10.0/MlaGen.dll",
            "lib/net10.0/MlaGen.xml",
            "tasks/net10.0/MlaGen.Build.dll",
        ];

        Assert.Equal(expected, files);
    }

    [Theory]
    [InlineData("MlaGen")]
    [InlineData("MlaGen.Templates")]
    public void Every_package_brings_the_page_and_the_picture_that_it_names(string name)
    {
        using ZipArchive package = ZipFile.OpenRead(Path.Combine(feed.Feed, $"{name}.{PackageFeed.Version}.nupkg"));
        using var reader = new StreamReader(package.GetEntry($"{name}.nuspec")!.Open());
        string description = reader.ReadToEnd();

        Assert.Contains("<icon>icon.png</icon>", description, StringComparison.Ordinal);
        Assert.Contains("<readme>README.md</readme>", description, StringComparison.Ordinal);
        Assert.NotNull(package.GetEntry("icon.png"));
        Assert.NotNull(package.GetEntry("README.md"));
    }

    [Fact]
    public void Symbols_are_packed_beside_it()
    {
        using ZipArchive symbols = ZipFile.OpenRead(Path.ChangeExtension(feed.Package, "snupkg"));

        Assert.Contains(symbols.Entries, static entry => entry.FullName == "lib/net10.0/MlaGen.pdb");
    }
}
