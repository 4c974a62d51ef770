using System.Text.RegularExpressions;
using MlaGen.Generator.Configs;

namespace MlaGen.Generator.Tests.Configs;

/// <summary>Entries of lists against names: as Python's <c>re.match</c> and <c>fnmatch</c> decide, in time that no entry can stretch.</summary>
public class NameListTests
{
    private const string Name = "model.layers.12.self_attn.q_a_proj";

    [Theory]
    [InlineData(Name, true)]
    [InlineData("self_attn", false)]
    [InlineData("model.layers.12.self_attn", false)]
    [InlineData("model.layers.*.self_attn*", true)]
    [InlineData("model.layers.*.self_attn", false)]
    [InlineData("*q_a_proj", true)]
    [InlineData("model.layers.1?.*", true)]
    [InlineData("model.layers.?.*", false)]
    [InlineData("model.layers.[0-9][0-9].*", true)]
    [InlineData("model.layers.[!1]*", false)]
    [InlineData("model?layers*", true)]
    [InlineData("re:.*self_attn", true)]
    [InlineData("re:self_attn", false)]
    [InlineData("re:model", true)]
    [InlineData("re:model$", false)]
    [InlineData("re:^model\\.layers\\.(1[0-9]|[0-9])\\.", true)]
    [InlineData("re:.*\\.q_(a|b)_proj$", true)]
    [InlineData("re:.*\\.(?:k|v)_proj$", false)]
    [InlineData("re:.*layers\\.\\d{2}\\.", true)]
    [InlineData("re:.*layers\\.\\d{3,}\\.", false)]
    [InlineData("re:.*[^.]+_attn\\.\\w+$", true)]
    [InlineData("re:(?!.*self_attn)", false)]
    [InlineData("re:(?=.*self_attn)model", true)]
    [InlineData("re:.*\\bq_a_proj\\b", true)]
    [InlineData("re:.*?proj$", true)]
    [InlineData("re:(?P<a>model)\\.layers", true)]
    [InlineData("re:()*model", true)]
    [InlineData("re:", true)]
    public void Entry_matches_as_in_Python(string entry, bool isMatch)
    {
        var list = new NameList([entry], matchesParts: false);

        Assert.Null(list.NotUnderstood);
        Assert.Equal(isMatch, list.Matches(Name, new MatchBudget(1_000_000)));
    }

    [Theory]
    [InlineData("self_attn", true)]
    [InlineData("model.layers.12.self_attn", true)]
    [InlineData("model.layers.1.self_attn", false)]
    [InlineData("", false)]
    public void Plain_entry_may_match_a_part(string entry, bool isMatch)
        => Assert.Equal(isMatch, new NameList([entry], matchesParts: true).Matches(Name, new MatchBudget(1000)));

    [Theory]
    [InlineData("re:(a)\\1")]
    [InlineData("re:(?<!a)b")]
    [InlineData("re:(?i)a")]
    [InlineData("re:(a")]
    [InlineData("re:a)")]
    [InlineData("re:[a")]
    [InlineData("re:a**")]
    [InlineData("re:*a")]
    [InlineData("re:a{2")]
    [InlineData("re:a{1001}")]
    [InlineData("re:((a{100}){100}){100}")]
    [InlineData("re:a\\")]
    [InlineData("re:\\u0041")]
    public void Entry_beyond_the_syntax_is_named_and_matches_nothing(string entry)
    {
        var list = new NameList([entry], matchesParts: true);

        Assert.Equal(entry, list.NotUnderstood);
        Assert.False(list.Matches("aaaa", new MatchBudget(1000)));
    }

    [Fact]
    public void Deep_and_long_entries_are_not_understood_and_break_nothing()
    {
        Assert.NotNull(new NameList(["re:" + new string('(', 500) + new string(')', 500)], matchesParts: false).NotUnderstood);
        Assert.NotNull(new NameList(["re:" + new string('a', 2000)], matchesParts: false).NotUnderstood);
    }

    [Theory]
    [InlineData("(a|aa)+$")]
    [InlineData("(a*)*b")]
    [InlineData("(?=(?=(?=.*b).*b).*b)(a|a)*b")]
    [InlineData("(.*)(.*)(.*)(.*)(.*)b")]
    public void Entry_that_makes_others_backtrack_takes_few_steps(string pattern)
    {
        var budget = new MatchBudget(200_000);

        Assert.False(NameRegex.Parse(pattern)!.IsMatch(new string('a', 60) + "!", budget));
        Assert.False(budget.IsSpent);
    }

    [Fact]
    public void Random_expressions_match_as_those_of_the_runtime()
    {
        var random = new Random(20);
        string[] parts = ["a", "b", ".", "(a|b)", "[ab]", "[^a]", "(?:ab)?", "a*", "b+", ".{1,2}", "(?!ab)", "(?=a)", "\\.", "\\b", "(a|)", "(ab|a)*"];
        for (int i = 0; i < 2000; i++)
        {
            string pattern = string.Concat(Enumerable.Range(0, random.Next(1, 6)).Select(_ => parts[random.Next(parts.Length)])) + (random.Next(2) == 0 ? "$" : string.Empty);
            string name = string.Concat(Enumerable.Range(0, random.Next(0, 8)).Select(_ => "ab."[random.Next(3)]));

            bool expected = Regex.IsMatch(name, "\\A(?:" + pattern + ")", RegexOptions.CultureInvariant);
            Assert.True(expected == NameRegex.Parse(pattern)!.IsMatch(name, new MatchBudget(100_000)), $"{pattern} against '{name}': expected {expected}");
        }
    }
}
