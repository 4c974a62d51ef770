using System.Collections.Immutable;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using MlaGen.Generator.Diagnostics;
using MlaGen.Generator.Tests.Infrastructure;

namespace MlaGen.Generator.Tests;

/// <summary>Every rule has a page, and what the page says happens.</summary>
public partial class DocumentationTests
{
    private static readonly string _pages = Path.Combine(TestProject.Repository, "docs", "diagnostics");

    public static TheoryData<string> Ids => [.. Rules.All.Select(static rule => rule.Id)];

    [Fact]
    public void Ids_are_distinct_and_in_order()
        => Assert.Equal(Rules.All.Select(static rule => rule.Id).Distinct().Order(StringComparer.Ordinal), Rules.All.Select(static rule => rule.Id));

    [Fact]
    public void Every_field_is_in_the_list_of_all_rules()
        => Assert.Equal(
            typeof(Rules).GetFields().Where(static field => field.FieldType == typeof(DiagnosticDescriptor)).Select(static field => (DiagnosticDescriptor)field.GetValue(null)!),
            Rules.All);

    [Theory]
    [MemberData(nameof(Ids))]
    public void Rule_links_to_a_page_of_its_title(string id)
    {
        DiagnosticDescriptor rule = Rules.All.Single(candidate => candidate.Id == id);

        Assert.Equal("MlaGen", rule.Category);
        Assert.Equal($"https://github.com/mlagen/mlagen/blob/main/docs/diagnostics/{id}.md", rule.HelpLinkUri);
        Assert.StartsWith($"# {id}: {rule.Title}\n", Page(id), StringComparison.Ordinal);
        Assert.Contains($"#pragma warning disable {id}\n", Page(id), StringComparison.Ordinal);
        Assert.Contains($"dotnet_diagnostic.{id}.severity = none\n", Page(id), StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Ids))]
    public async Task Example_of_the_page_triggers_exactly_its_rule(string id)
    {
        CSharpCompilation example = Compile(Section(id, "Example"));
        ImmutableArray<Diagnostic> found = await Compilations.Analyze(example);

        Assert.Equal([id], found.Select(static diagnostic => diagnostic.Id).Distinct());
        Assert.Empty(Compilations.Generate(example).GeneratedSources);
    }

    [Theory]
    [MemberData(nameof(Ids))]
    public async Task Fix_of_the_page_is_generated_from(string id)
    {
        // That what is generated compiles is the matter of the tests of all shapes.
        CSharpCompilation fix = Compile(Section(id, "Fix"));

        Assert.Empty(await Compilations.Analyze(fix));
        Assert.NotEmpty(Compilations.Generate(fix).GeneratedSources);
    }

    [Theory]
    [MemberData(nameof(Ids))]
    public async Task Pragma_suppresses_the_rule(string id)
    {
        (string? settings, string source) = Section(id, "Example");

        Assert.DoesNotContain(await Compilations.Analyze(Compile((settings, $"#pragma warning disable {id}\n{source}"))), diagnostic => !diagnostic.IsSuppressed);
    }

    private static string Page(string id) => File.ReadAllText(Path.Combine(_pages, id + ".md"));

    /// <summary>The project settings, if any, and the source in a section of a page.</summary>
    private static (string? Settings, string Source) Section(string id, string title)
    {
        string section = Page(id).Split("\n## ").Single(candidate => candidate.StartsWith(title + "\n", StringComparison.Ordinal));
        ILookup<string, string> blocks = FencedBlock().Matches(section).ToLookup(static block => block.Groups[1].Value, static block => block.Groups[2].Value);
        return (blocks["xml"].SingleOrDefault(), blocks["csharp"].Single());
    }

    private static CSharpCompilation Compile((string? Settings, string Source) example)
    {
        XElement settings = XElement.Parse(example.Settings ?? "<PropertyGroup />");
        CSharpParseOptions options = Compilations.ParseOptions;
        if (settings.Element("LangVersion")?.Value is { } text)
        {
            Assert.True(LanguageVersionFacts.TryParse(text, out LanguageVersion language));
            options = options.WithLanguageVersion(language);
        }

        CSharpCompilation compilation = Compilations.Create().AddSyntaxTrees(CSharpSyntaxTree.ParseText(example.Source, options));
        return settings.Element("TargetFramework")?.Value is { } framework && framework != "net10.0"
            ? compilation.WithReferences(OtherFramework.References(int.Parse(framework.AsSpan(3, 1), provider: null)))
            : compilation;
    }

    [GeneratedRegex("^```(\\w+)\n(.*?)^```$", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex FencedBlock();
}
