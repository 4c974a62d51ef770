using System.IO.Compression;
using System.Runtime.InteropServices;
using MlaGen.Package.Tests.Infrastructure;

namespace MlaGen.Package.Tests;

/// <summary>A program that has nothing but the package: built, trimmed and compiled to native code.</summary>
[Collection(PackageTestGroup.Name)]
[Trait("Category", "Package")]
public sealed class ConsumerTests(PackageFeed feed)
{
    [Fact]
    public void Consumer_builds_without_a_warning_and_runs()
    {
        string[] output = feed.JitOutput;

        Assert.Equal(2, output.Length);
        Assert.Matches("^tier (Scalar|Vector128|Vector256|Vector512)$", output[0]);
        Assert.Matches("^output [0-9A-F]{64}$", output[1]);
    }

    [Fact]
    public void Installed_package_is_the_one_just_packed()
    {
        Assert.NotEmpty(feed.JitOutput);
        using ZipArchive package = ZipFile.OpenRead(feed.Package);
        using Stream packed = package.GetEntry("lib/net10.0/MlaGen.dll")!.Open();
        using var bytes = new MemoryStream();
        packed.CopyTo(bytes);

        Assert.Equal(bytes.ToArray(), File.ReadAllBytes(Path.Combine(feed.Packages, "mlagen", PackageFeed.Version, "lib", "net10.0", "MlaGen.dll")));
    }

    [Fact]
    public void Trimmed_program_has_no_warning_and_computes_the_same_bits()
        => Assert.Equal(feed.JitOutput, Publish("trimmed", "<PublishTrimmed>true</PublishTrimmed><SelfContained>true</SelfContained><TrimmerSingleWarn>false</TrimmerSingleWarn>"));

    [AotFact]
    public void Native_program_has_no_warning_and_computes_the_same_bits_on_the_same_tier()
        => Assert.Equal(feed.JitOutput, Publish("native", "<PublishAot>true</PublishAot><IlcInstructionSet>native</IlcInstructionSet><TrimmerSingleWarn>false</TrimmerSingleWarn>"));

    [Fact]
    public void Native_program_without_an_instruction_set_is_warned_of()
    {
        string directory = feed.CreateProject("instructions", "<PublishAot>true</PublishAot>");

        string line = Dotnet.Run(directory, "build").Succeeds().Line("warning MLA0290");
        Assert.Contains("IlcInstructionSet", line, StringComparison.Ordinal);
        Assert.DoesNotContain("MLA0290", Dotnet.Run(directory, "build", "-p:IlcInstructionSet=native").Succeeds().Output, StringComparison.Ordinal);
        Assert.DoesNotContain("MLA0290", Dotnet.Run(directory, "build", "-p:NoWarn=MLA0290").Succeeds().Output, StringComparison.Ordinal);
    }

    private string[] Publish(string name, string properties)
    {
        string directory = feed.CreateConsumer(name, properties);
        CommandResult publish = Dotnet.Run(directory, "publish", "-c", "Release", "-r", RuntimeInformation.RuntimeIdentifier, "-o", "out").Succeeds();
        Assert.DoesNotContain("warning", publish.Output, StringComparison.OrdinalIgnoreCase);
        return Dotnet.Start(Path.Combine(directory, "out", name), directory).Succeeds().Lines;
    }
}
