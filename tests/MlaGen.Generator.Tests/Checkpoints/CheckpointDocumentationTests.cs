using System.Text.RegularExpressions;
using Microsoft.CodeAnalysis;
using MlaGen.Generator.Checkpoints;
using MlaGen.Generator.Tests.Infrastructure;

namespace MlaGen.Generator.Tests.Checkpoints;

/// <summary>Every rule about checkpoints has a page, and what the page says happens. The pages of the build task's own codes are the matter of the package's tests.</summary>
public partial class CheckpointDocumentationTests
{
    private static readonly string _pages = Path.Combine(TestProject.Repository, "docs", "diagnostics");

    public static TheoryData<string> Ids => [.. CheckpointRules.All.Select(static rule => rule.Id)];

    [Fact]
    public void Every_field_is_in_the_list_of_all_rules_in_the_order_of_the_ids()
    {
        Assert.Equal(
            typeof(CheckpointRules).GetFields().Where(static field => field.FieldType == typeof(DiagnosticDescriptor)).Select(static field => (DiagnosticDescriptor)field.GetValue(null)!),
            CheckpointRules.All);
        Assert.Equal(CheckpointRules.All.Select(static rule => rule.Id).Distinct().Order(StringComparer.Ordinal), CheckpointRules.All.Select(static rule => rule.Id));
    }

    [Theory]
    [MemberData(nameof(Ids))]
    public void Rule_links_to_a_page_of_its_title(string id)
    {
        DiagnosticDescriptor rule = CheckpointRules.All.Single(candidate => candidate.Id == id);

        Assert.Equal($"https://github.com/mlagen/mlagen/blob/main/docs/diagnostics/{id}.md", rule.HelpLinkUri);
        Assert.StartsWith($"# {id}: {rule.Title}\n", Page(id), StringComparison.Ordinal);
        Assert.Contains($"dotnet_diagnostic.{id}.severity = none\n", Page(id), StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Ids))]
    public async Task Example_of_the_page_triggers_exactly_its_rule(string id)
        => Assert.Equal([id], (await Project(id, "Example").Analyze()).Select(static diagnostic => diagnostic.Id).Distinct());

    [Theory]
    [MemberData(nameof(Ids))]
    public async Task Fix_of_the_page_has_no_diagnostic(string id)
        => Assert.Empty(await Project(id, "Fix").Analyze());

    [Theory]
    [MemberData(nameof(Ids))]
    public async Task Pragma_suppresses_the_rule_where_the_page_says_so(string id)
    {
        string pragma = $"#pragma warning disable {id}\n";

        Assert.Equal(Page(id).Contains(pragma, StringComparison.Ordinal), (await Project(id, "Example", pragma).Analyze()).All(static diagnostic => diagnostic.IsSuppressed));
    }

    private static string Page(string id) => File.ReadAllText(Path.Combine(_pages, id + ".md"));

    private static CheckpointProject Project(string id, string title, string before = "")
    {
        string section = Page(id).Split("\n## ").Single(candidate => candidate.StartsWith(title + "\n", StringComparison.Ordinal));
        Dictionary<string, string> blocks = FencedBlock().Matches(section).ToDictionary(static block => block.Groups[1].Value, static block => block.Groups[2].Value);
        return new CheckpointProject(before + blocks["csharp"], ("Attention", blocks["text"]));
    }

    [GeneratedRegex("^```(\\w+)\n(.*?)^```$", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex FencedBlock();
}
