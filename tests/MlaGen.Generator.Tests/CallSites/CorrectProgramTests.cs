using System.Collections.Immutable;
using System.Xml.Linq;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using MlaGen.Generator.Tests.Configs;
using MlaGen.Generator.Tests.Infrastructure;

namespace MlaGen.Generator.Tests.CallSites;

/// <summary>Programs that are right: on none of them does a rule fire.</summary>
public class CorrectProgramTests
{
    private static readonly string _programs = Path.Combine(TestProject.Directory, "CorrectPrograms");
    private static readonly string _samples = Path.Combine(TestProject.Repository, "samples");

    public static TheoryData<string> Programs => [.. Directory.EnumerateFiles(_programs, "*.cs").Select(static path => Path.GetFileNameWithoutExtension(path)).Order(StringComparer.Ordinal)];

    // What samples share is a folder without a project, and part of each.
    public static TheoryData<string> Samples =>
    [
        .. Directory.EnumerateFiles(_samples, "*.csproj", SearchOption.AllDirectories).Select(static path => Path.GetFileName(Path.GetDirectoryName(path)!)).Order(StringComparer.Ordinal),
    ];

    [Fact]
    public void There_are_twenty_or_more() => Assert.True(Programs.Count >= 20);

    [Theory]
    [MemberData(nameof(Programs))]
    public async Task No_rule_fires_on_a_correct_program(string program)
    {
        CSharpCompilation compilation = CallSiteProject.Program(File.ReadAllText(Path.Combine(_programs, program + ".cs")));

        Compilations.AssertCompiles(compilation);
        Assert.Empty(await CallSiteProject.Analyze(compilation));
    }

    [Theory]
    [MemberData(nameof(Samples))]
    public async Task No_rule_fires_on_a_sample(string sample)
    {
        // A mistake of our own shows that the analyzers see the sample's classes at all.
        ConfigProject project = Sample(sample);
        CSharpCompilation compilation = project.Compilation.With(project.Generate());
        INamedTypeSymbol layer = compilation.GetSymbolsWithName(static _ => true, SymbolFilter.Type).OfType<INamedTypeSymbol>().First(static type => type.TypeKind == TypeKind.Class && type.AllInterfaces.Any(static face => face.Name == "IMlaAttention"));
        string name = layer.ToDisplayString(SymbolDisplayFormat.FullyQualifiedFormat);
        SyntaxTree mistake = CSharpSyntaxTree.ParseText($"internal static class Mistake {{ private static void Run() => _ = {name}.CreateCache(1, 64); }}", Compilations.ParseOptions);

        Diagnostic found = Assert.Single(await CallSiteProject.Analyze(compilation.AddSyntaxTrees(mistake), project.Options));
        Assert.Same(mistake, found.Location.SourceTree);
    }

    /// <summary>A sample without the packages it references: what it does with generated classes is all there.</summary>
    private static ConfigProject Sample(string sample)
    {
        string root = Path.Combine(_samples, sample);
        ImmutableArray<string> sources =
        [
            .. Directory.EnumerateFiles(root, "*.cs", SearchOption.AllDirectories)
                .Where(path => Path.GetRelativePath(root, path).Split(Path.DirectorySeparatorChar) is not ["obj" or "bin", ..])
                .Select(static path => File.ReadAllText(path)),
            .. Directory.EnumerateFiles(Path.Combine(_samples, "Shared"), "*.cs").Select(static path => File.ReadAllText(path)),
            "global using System; global using System.Collections.Generic; global using System.IO; global using System.Linq; global using System.Threading; global using System.Threading.Tasks;",
        ];
        (string Name, string Path, string? Text)[] configs =
        [
            .. XDocument.Load(Path.Combine(root, sample + ".csproj")).Descendants("MlaModelConfig")
                .SelectMany(item => item.Attribute("Include")!.Value.Split(';'))
                .Select(item => Path.GetFullPath(Path.Combine(root, item)))
                .Select(static path => (Path.GetFileName(Path.GetDirectoryName(path)!), path, (string?)File.ReadAllText(path))),
        ];
        return new ConfigProject(string.Empty, configs) { Compilation = Compilations.Create(sources) };
    }
}
