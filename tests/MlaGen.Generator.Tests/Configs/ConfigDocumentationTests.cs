using System.Collections.Immutable;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using Microsoft.CodeAnalysis;
using MlaGen.Generator.Configs;
using MlaGen.Generator.Tests.Infrastructure;

namespace MlaGen.Generator.Tests.Configs;

/// <summary>Every rule about configurations has a page, and what the page says happens.</summary>
public partial class ConfigDocumentationTests
{
    private static readonly string _pages = Path.Combine(TestProject.Repository, "docs", "diagnostics");

    public static TheoryData<string> Ids => [.. ConfigRules.All.Select(static rule => rule.Id)];

    [Fact]
    public void Every_field_is_in_the_list_of_all_rules_in_the_order_of_the_ids()
    {
        Assert.Equal(
            typeof(ConfigRules).GetFields().Where(static field => field.FieldType == typeof(DiagnosticDescriptor)).Select(static field => (DiagnosticDescriptor)field.GetValue(null)!),
            ConfigRules.All);
        Assert.Equal(ConfigRules.All.Select(static rule => rule.Id).Distinct().Order(StringComparer.Ordinal), ConfigRules.All.Select(static rule => rule.Id));
    }

    [Theory]
    [MemberData(nameof(Ids))]
    public void Rule_links_to_a_page_of_its_title(string id)
    {
        DiagnosticDescriptor rule = ConfigRules.All.Single(candidate => candidate.Id == id);

        Assert.Equal($"https://github.com/mlagen/mlagen/blob/main/docs/diagnostics/{id}.md", rule.HelpLinkUri);
        Assert.StartsWith($"# {id}: {rule.Title}\n", Page(id), StringComparison.Ordinal);
        Assert.Contains($"dotnet_diagnostic.{id}.severity = none\n", Page(id), StringComparison.Ordinal);
        Assert.Contains($"<NoWarn>$(NoWarn);{id}</NoWarn>\n", Page(id), StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Ids))]
    public async Task Example_of_the_page_triggers_exactly_its_rule_once(string id)
    {
        ConfigProject example = Project(id, "Example");
        DiagnosticDescriptor rule = ConfigRules.All.Single(candidate => candidate.Id == id);

        Diagnostic found = Assert.Single(await example.Analyze());
        Assert.Equal(id, found.Id);
        Assert.Equal(LocationKind.ExternalFile, found.Location.Kind);

        // Of two files of one name the first is read; every other error leaves the class out.
        bool isLeftOut = rule.DefaultSeverity == DiagnosticSeverity.Error && id != "MLA0103";
        Assert.Equal(isLeftOut, example.Generate().GeneratedSources.IsEmpty);
    }

    [Theory]
    [MemberData(nameof(Ids))]
    public async Task Fix_of_the_page_gives_a_class_without_a_diagnostic(string id)
    {
        ConfigProject fix = Project(id, "Fix");

        Assert.Empty(await fix.Analyze());
        Assert.NotEmpty(fix.Generate().GeneratedSources);
    }

    private static string Page(string id) => File.ReadAllText(Path.Combine(_pages, id + ".md"));

    /// <summary>The project of a section: its items, its one file for all of them, and its class, each as usual where the page shows none.</summary>
    private static ConfigProject Project(string id, string title)
    {
        string section = Page(id).Split("\n## ").Single(candidate => candidate.StartsWith(title + "\n", StringComparison.Ordinal));
        ILookup<string, string> blocks = FencedBlock().Matches(section).ToLookup(static block => block.Groups[1].Value, static block => block.Groups[2].Value);
        XElement items = XElement.Parse($"<ItemGroup>{blocks["xml"].SingleOrDefault() ?? "<MlaModelConfig Include=\"model/config.json\" />"}</ItemGroup>");
        return new ConfigProject(
            blocks["csharp"].SingleOrDefault() ?? "using MlaGen;\n[MlaAttention(\"model\")] public sealed partial class Attention;",
            [.. items.Elements("MlaModelConfig").Select(item => (Name(item), "/" + (string)item.Attribute("Include")!, blocks["json"].SingleOrDefault()))]);
    }

    private static string Name(XElement item)
        => (string?)item.Attribute("Name") ?? Path.GetFileName(Path.GetDirectoryName((string)item.Attribute("Include")!)!);

    [GeneratedRegex("^```(\\w+)\n(.*?)^```$", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex FencedBlock();
}
