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
        NameList list = List(entry);

        Assert.Null(list.NotUnderstood);
        Assert.Equal(isMatch, list.Matches(Name, new MatchBudget(1_000_000)));
    }

    [Theory]
    [InlineData("self_attn", true)]
    [InlineData("model.layers.12.self_attn", true)]
    [InlineData("model.layers.1.self_attn", false)]
    [InlineData("", false)]
    public void Plain_entry_may_match_a_part(string entry, bool isMatch)
        => Assert.Equal(isMatch, List(entry, matchesParts: true).Matches(Name, new MatchBudget(1000)));

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
        NameList list = List(entry, matchesParts: true);

        Assert.Equal(entry, list.NotUnderstood);
        Assert.False(list.Matches("aaaa", new MatchBudget(1000)));
    }

    [Fact]
    public void Deep_and_long_entries_are_not_understood_and_break_nothing()
    {
        Assert.NotNull(List("re:" + new string('(', 500) + new string(')', 500)).NotUnderstood);
        Assert.NotNull(List("re:" + new string('a', 2000)).NotUnderstood);
    }

    // Millions of signs that a walk through them would look at once for each of them.
    [Theory]
    [InlineData("*", '[')]
    [InlineData("re:", '(')]
    [InlineData("re:[", '[')]
    public async Task Entry_of_any_length_is_refused_at_a_glance(string start, char sign)
    {
        string entry = start + new string(sign, 8_000_000);

        Assert.Equal(entry, await Task.Run(() => List(entry).NotUnderstood).WaitAsync(TimeSpan.FromSeconds(30)));
    }

    // Nested counts: each of these stands for billions of nothing.
    [Theory]
    [InlineData("((((){1000}){1000}){1000}){1000}", true)]
    [InlineData("((((){1000,}){1000,}){1000,}){1000,}", true)]
    [InlineData("((((){7,1000}){7,1000}){7,1000}){7,1000}", true)]
    [InlineData("((((a{0}){1000}){1000}){1000}){1000}", true)]
    [InlineData("((((a{0}b{0}){1000}(c{0}){1000}){1000}){1000}){1000}", true)]
    [InlineData("(((((?:)(?P<n>)){1000}){1000}){1000}){1000}", true)]
    [InlineData("(((((|){0}){1000}){1000}){1000}){1000}", true)]
    [InlineData("((((|){1000}){1000}){1000}){1000}", false)]
    [InlineData("((((()|(){0}|()()){1000}){1000}){1000}){1000}", false)]
    [InlineData("((((){0,1000}){0,1000}){1000}){1000}", false)]
    [InlineData("((((()*){1000}){1000}){1000}){1000}", false)]
    [InlineData("((((?=){0}){1000}){1000}){1000}", null)]
    [InlineData("(((((?=)){1000}){1000}){1000}){1000}", false)]
    [InlineData("((()()()()()()()()a){1000}){1000}", false)]
    public void Nothing_however_often_takes_few_steps(string pattern, bool? isUnderstood)
    {
        var budget = new MatchBudget(100_000);
        NameRegex? regex = NameRegex.Parse(pattern, budget);

        Assert.False(budget.IsSpent);
        Assert.Equal(isUnderstood == true, regex is not null);
        Assert.True(regex?.IsMatch(Name, new MatchBudget(1000)) ?? true);
        Assert.True(regex?.IsMatch(string.Empty, new MatchBudget(1000)) ?? true);
    }

    [Fact]
    public void Expressions_beyond_what_may_be_spent_are_not_understood()
    {
        string[] entries = [.. Enumerable.Range(0, 100).Select(static i => $"re:.*(ab{{60}}){{60}}{i}")];

        Assert.Null(new NameList(entries, matchesParts: false, new MatchBudget(1_500_000)).NotUnderstood);
        Assert.InRange(Array.IndexOf(entries, new NameList(entries, matchesParts: false, new MatchBudget(50_000)).NotUnderstood), 1, 50_000 / (60 * 61));
    }

    [Fact]
    public void Looking_at_a_list_of_names_costs_a_step()
    {
        NameList list = List("lm_head");
        var budget = new MatchBudget(100);

        Assert.All(Enumerable.Range(0, 100), _ => Assert.False(list.Matches(Name, budget)));
        Assert.True(budget.IsSpent);
    }

    [Theory]
    [InlineData("(a|aa)+$")]
    [InlineData("(a*)*b")]
    [InlineData("(?=(?=(?=.*b).*b).*b)(a|a)*b")]
    [InlineData("(.*)(.*)(.*)(.*)(.*)b")]
    public void Entry_that_makes_others_backtrack_takes_few_steps(string pattern)
    {
        var budget = new MatchBudget(200_000);

        Assert.False(Parse(pattern).IsMatch(new string('a', 60) + "!", budget));
        Assert.False(budget.IsSpent);
    }

    [Fact]
    public void Random_expressions_match_as_those_of_the_runtime()
    {
        var random = new Random(20);
        string[] parts = ["a", "b", ".", "(a|b)", "[ab]", "[^a]", "(?:ab)?", "a*", "b+", ".{1,2}", "(?!ab)", "(?=a)", "\\.", "\\b", "(a|)", "(ab|a)*", "()", "a{0}", "(){3}", "(|b){2}", "(a?){2}"];
        for (int i = 0; i < 2000; i++)
        {
            string pattern = string.Concat(Enumerable.Range(0, random.Next(1, 6)).Select(_ => parts[random.Next(parts.Length)])) + (random.Next(2) == 0 ? "$" : string.Empty);
            string name = string.Concat(Enumerable.Range(0, random.Next(0, 8)).Select(_ => "ab."[random.Next(3)]));

            bool expected = Regex.IsMatch(name, "\\A(?:" + pattern + ")", RegexOptions.CultureInvariant);
            Assert.True(expected == Parse(pattern).IsMatch(name, new MatchBudget(100_000)), $"{pattern} against '{name}': expected {expected}");
        }
    }

    [Fact]
    public void Random_sets_hold_the_characters_that_those_of_the_runtime_hold()
    {
        var random = new Random(21);
        string[] members = ["a-f", "D-Z", "0-9", "!-~", "x-x", "\\d", "\\D", "\\w", "\\W", "\\s", "\\S", "\\.", "\\]", "\\\\", "_", "?", " ", "\t", "é", "a-é"];
        for (int i = 0; i < 500; i++)
        {
            string set = "[" + (random.Next(2) == 0 ? "^" : "") + (random.Next(4) == 0 ? "]" : "") + string.Concat(Enumerable.Range(0, random.Next(1, 5)).Select(_ => members[random.Next(members.Length)])) + (random.Next(4) == 0 ? "-]" : "]");
            var expected = new Regex("\\A" + set, RegexOptions.CultureInvariant);
            NameRegex actual = Parse(set);

            Assert.All(Enumerable.Range(0, 128), c => Assert.True(expected.IsMatch(((char)c).ToString()) == actual.IsMatch(((char)c).ToString(), new MatchBudget(1000)), $"{set} against {c}"));
        }
    }

    private static NameList List(string entry, bool matchesParts = false) => new([entry], matchesParts, new MatchBudget(100_000));

    private static NameRegex Parse(string pattern) => NameRegex.Parse(pattern, new MatchBudget(100_000))!;
}
