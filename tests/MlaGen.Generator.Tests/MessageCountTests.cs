using System.Text.RegularExpressions;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using MlaGen.Generator.Tests.Infrastructure;

namespace MlaGen.Generator.Tests;

/// <summary>
/// A number and the thing it counts agree: "1 page", "2 pages". Held for the whole source of library, generator, samples and template: after a number
/// that is put into a text there is no plural, as the helpers of the assemblies choose between the two forms.
/// </summary>
public partial class MessageCountTests
{
    private static readonly string[] _folders = ["src", "generator", "samples", "templates"];

    // Numbers that cannot be 1: limits, and what is told only beyond them.
    private static readonly string[] _never1 =
    [
        "{0} characters; expected at most", "… {shape.Length} dimensions", "1 to {MostStories} stories", "given {StoryFile.MostStories} times",
        "{Column.Whole(points[lastBehind + 1].Context)} tokens", "{full:#,0} floats", "{(double)full / row:0.00} times",
        "{Attention.CacheRowElements} floats", "{Attention.CacheBytes(Layers, 1024):N0} bytes",
        "{Array.MaxLength} tokens", "{(long)values.Length * type.Size()} bytes", "{Most} values", "{panelBytes} bytes", "{MostPanelBytes} bytes",
        "{(long)rows * width} floats", "{positions.Length} rows", "{most} rows", "{(long)rows * heads * width} floats", "{rows} rows; a step takes at most", "{bits} bits are no whole number of bytes",
    ];

    [Fact]
    public void No_text_puts_a_number_before_a_plural()
    {
        string[] found = [.. Texts().Where(static text => BarePlural().IsMatch(Without(text.Text))).Select(static text => $"{text.File}: {text.Text}")];

        Assert.Empty(found);
    }

    [Theory]
    [InlineData("A page of {layers} layers")]
    [InlineData("{wantedPages} more page(s)")]
    [InlineData("'{0}' gets {1} elements")]
    [InlineData("prompt: {tokens} tokens, more")]
    [InlineData("{n} new tokens need as many")]
    [InlineData("{n} stories")]
    [InlineData("mlx: {value} bits in all")]
    [InlineData("{n} queries")]
    [InlineData("{n} sequence(s)")]
    public void Such_a_text_would_be_found(string text) => Assert.Matches(BarePlural(), text);

    [Theory]
    [InlineData("{Counted.Of(layers, \"layer\")} in all")]
    [InlineData("'{0}' gets {1}; expected {2}")]
    [InlineData("layer {layer} has no rows")]
    [InlineData("{name} takes this")]
    public void Another_would_not(string text) => Assert.DoesNotMatch(BarePlural(), text);

    [Fact]
    public void Every_exception_to_the_rule_is_used()
    {
        string[] texts = [.. Texts().Select(static text => text.Text)];

        Assert.All(_never1, exception => Assert.Contains(texts, text => text.Contains(exception, StringComparison.Ordinal)));
        Assert.All(_never1, static exception => Assert.Matches(BarePlural(), exception));
    }

    private static string Without(string text) => _never1.Aggregate(text, static (rest, exception) => rest.Replace(exception, "", StringComparison.Ordinal));

    private static IEnumerable<(string File, string Text)> Texts()
    {
        string separator = Path.DirectorySeparatorChar.ToString();
        foreach (string folder in _folders)
        {
            foreach (string file in Directory.EnumerateFiles(Path.Combine(TestProject.Repository, folder), "*.cs", SearchOption.AllDirectories).Order(StringComparer.Ordinal))
            {
                // Emission speaks to readers of code, of sizes that a plan has chosen.
                if (file.Contains($"{separator}obj{separator}", StringComparison.Ordinal) || file.Contains($"{separator}bin{separator}", StringComparison.Ordinal) || file.Contains($"{separator}Emission{separator}", StringComparison.Ordinal))
                {
                    continue;
                }

                SyntaxNode root = CSharpSyntaxTree.ParseText(File.ReadAllText(file)).GetRoot();
                foreach (ExpressionSyntax text in root.DescendantNodes().OfType<ExpressionSyntax>().Where(static node => node is InterpolatedStringExpressionSyntax or LiteralExpressionSyntax { RawKind: (int)SyntaxKind.StringLiteralExpression }))
                {
                    yield return (Path.GetRelativePath(TestProject.Repository, file), text.ToString());
                }
            }
        }
    }

    // A hole that is not a call of a helper, perhaps what kind of thing, and a word that ends like a plural of what is counted here.
    [GeneratedRegex(@"\{(?!Counted\.Of)[^{}]*\} (?:(?:more|new|distinct|random|cached|full|symbolic|free) ){0,2}(?:layer|token|page|row|float|byte|sequence|element|head|column|thread|position|value|dimension|number|file|tensor|shard|block|bit|group|step|expert|key|input|output|character|part|factor|time|test|sum|vector|line|item|label|lane|parent|scale|projection|kernel|question|answer|(?:stor|quer|entr|cop)ie)s\b(?!/)|\(s\)")]
    private static partial Regex BarePlural();
}
