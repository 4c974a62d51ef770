using System.Text.Json.Nodes;

namespace MlaGen.Models.Tests.Text;

/// <summary>A template comes with a checkpoint: whatever it says, it ends soon, in bounded memory, with one error.</summary>
public class HostileTemplateTests
{
    [Theory]
    [InlineData("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}", "more than 20000000 steps")]
    [InlineData("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "levels deep")]
    [InlineData("{% set ns = namespace(s='aaaaaaaaaaaaaaaa') %}{% for i in range(99) %}{% set ns.s = ns.s + ns.s %}{% endfor %}", "characters and elements")]
    [InlineData("{% set ns = namespace(l=[1, 2]) %}{% for i in range(99) %}{% set ns.l = ns.l + ns.l %}{% endfor %}", "characters and elements")]
    [InlineData("{% set ns = namespace(l=[]) %}{% for i in range(60) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}{{ ns.l }}", "more than")]
    [InlineData("{% set ns = namespace(l=[], m=[]) %}{% for i in range(60) %}{% set ns.l = [ns.l, ns.l] %}{% set ns.m = [ns.m, ns.m] %}{% endfor %}{{ ns.l == ns.m }}", "steps")]
    [InlineData("{% set ns = namespace(l=[]) %}{% for i in range(9999) %}{% set ns.l = [ns.l] %}{% endfor %}{{ ns.l | tojson }}", "levels deep")]
    [InlineData("{% for i in range(99999) %}{{ 'x' * 99999 }}{% endfor %}", "more than")]
    [InlineData("{{ 'x' * 999999999999 }}", "characters and elements")]
    [InlineData("{{ [0] * 999999999999 }}", "characters and elements")]
    [InlineData("{{ range(999999999999) }}", "range of more than 100000")]
    [InlineData("{{ 2 ** 999999999999 }}", "too large")]
    [InlineData("{{ 9223372036854775807 + 1 }}", "too large")]
    [InlineData("{{ [1] | tojson(indent=999999999) ~ ('\\n' * 9) | indent(999999999999) }}", "characters and elements")]
    [InlineData("{{ ''.__class__.__mro__ }}", "undefined")]
    [InlineData("{{ messages.__init__.__globals__ }}", "undefined")]
    [InlineData("{{ cycler.__init__ }}", "undefined")]
    [InlineData("{% import 'os' as os %}", "import is not supported")]
    [InlineData("{{ 'a' | attr('b') | map }}", "map needs")]
    public void Its_cost_and_its_reach_are_bounded(string source, string problem)
    {
        ChatTemplateException error = Assert.Throws<ChatTemplateException>(() => ChatTemplate.Parse(source).Render([]));

        Assert.Contains(problem, error.Message, StringComparison.Ordinal);
        Assert.Contains("line 1", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("(", ")")]
    [InlineData("[", "]")]
    [InlineData("not ", "")]
    [InlineData("-", "")]
    [InlineData("{1:", "}")]
    [InlineData("1 + ", "")]
    [InlineData("1 if 1 else ", "")]
    public void Expressions_nested_without_end_are_an_error(string open, string close)
    {
        string source = "{{ " + string.Concat(Enumerable.Repeat(open, 100_000)) + "1" + string.Concat(Enumerable.Repeat(close, 100_000)) + " }}";

        Assert.Throws<ChatTemplateException>(() => ChatTemplate.Parse(source).Render([]));
    }

    [Fact]
    public void Blocks_nested_without_end_are_an_error() =>
        Assert.Throws<ChatTemplateException>(() => ChatTemplate.Parse(string.Concat(Enumerable.Repeat("{% if 1 %}", 100_000))));

    [Fact]
    public void An_error_names_the_line()
    {
        ChatTemplateException error = Assert.Throws<ChatTemplateException>(() => ChatTemplate.Parse("a\n\n{% if x %}\n{% endif %}\n{{ 1 + none }}\n").Render([]));

        Assert.Equal("chat template, line 5: an integer + none is not supported", error.Message);
    }

    [Fact]
    public void What_a_template_says_of_the_messages_is_told()
    {
        ChatTemplateException error = Assert.Throws<ChatTemplateException>(() => ChatTemplate.Parse("{{ raise_exception('roles \u001b must alternate') }}").Render([new JsonObject()]));

        Assert.Equal("chat template, line 1: the template says: roles \\u001b must alternate", error.Message);
    }
}
