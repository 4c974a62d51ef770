using System.Text.RegularExpressions;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using MlaGen.Generator.CallSites;
using MlaGen.Generator.Tests.Infrastructure;

namespace MlaGen.Generator.Tests.CallSites;

/// <summary>Every rule about call sites has a page, and what the page says happens.</summary>
public partial class CallSiteDocumentationTests
{
    private static readonly string _pages = Path.Combine(TestProject.Repository, "docs", "diagnostics");

    public static TheoryData<string> Ids => [.. CallSiteRules.All.Select(static rule => rule.Id)];

    [Fact]
    public void Every_field_is_in_the_list_of_all_rules_and_has_an_analyzer_of_its_own()
    {
        Assert.Equal(
            typeof(CallSiteRules).GetFields().Where(static field => field.FieldType == typeof(DiagnosticDescriptor)).Select(static field => (DiagnosticDescriptor)field.GetValue(null)!),
            CallSiteRules.All);
        Assert.Equal(
            CallSiteRules.All,
            CallSiteProject.Analyzers.Where(static analyzer => analyzer is CallSiteAnalyzer).Select(static analyzer => Assert.Single(analyzer.SupportedDiagnostics)).OrderBy(static rule => rule.Id, StringComparer.Ordinal));
    }

    [Theory]
    [MemberData(nameof(Ids))]
    public void Rule_links_to_a_page_of_its_title(string id)
    {
        DiagnosticDescriptor rule = CallSiteRules.All.Single(candidate => candidate.Id == id);

        Assert.Equal("MlaGen", rule.Category);
        Assert.Equal($"https://github.com/mlagen/mlagen/blob/main/docs/diagnostics/{id}.md", rule.HelpLinkUri);
        Assert.StartsWith($"# {id}: {rule.Title}\n", Page(id), StringComparison.Ordinal);
        Assert.Contains($"#pragma warning disable {id}\n", Page(id), StringComparison.Ordinal);
        Assert.Contains($"dotnet_diagnostic.{id}.severity = none\n", Page(id), StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Ids))]
    public async Task Example_of_the_page_triggers_exactly_its_rule_once(string id)
    {
        Diagnostic found = Assert.Single(await CallSiteProject.Analyze(Compile(Section(id, "Example"))));

        Assert.Equal(id, found.Id);
        Assert.True(found.Location.IsInSource);
    }

    [Theory]
    [MemberData(nameof(Ids))]
    public async Task Fix_of_the_page_leaves_no_diagnostic(string id) => Assert.Empty(await CallSiteProject.Analyze(Compile(Section(id, "Fix"))));

    [Theory]
    [MemberData(nameof(Ids))]
    public async Task Pragma_suppresses_the_rule(string id)
        => Assert.DoesNotContain(await CallSiteProject.Analyze(Compile($"#pragma warning disable {id}\n" + Section(id, "Example"))), static diagnostic => !diagnostic.IsSuppressed);

    private static string Page(string id) => File.ReadAllText(Path.Combine(_pages, id + ".md"));

    /// <summary>The source in a section of a page.</summary>
    private static string Section(string id, string title)
    {
        string section = Page(id).Split("\n## ").Single(candidate => candidate.StartsWith(title + "\n", StringComparison.Ordinal));
        return FencedBlock().Matches(section).Single().Groups[1].Value;
    }

    /// <summary>The page's class with what is generated from it, as a user has it: in one project.</summary>
    private static CSharpCompilation Compile(string source)
    {
        CSharpCompilation written = Compilations.Create(source).WithOptions(Compilations.Options.WithGeneralDiagnosticOption(ReportDiagnostic.Default));
        CSharpCompilation compilation = written.With(Compilations.Generate(written));
        Assert.Empty(compilation.GetDeclarationDiagnostics());
        SyntaxTree page = compilation.SyntaxTrees[0];
        Assert.Empty(compilation.GetSemanticModel(page).GetDiagnostics().Where(static diagnostic => diagnostic.Severity == DiagnosticSeverity.Error));
        return compilation;
    }

    [GeneratedRegex("^```csharp\n(.*?)^```$", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex FencedBlock();
}
