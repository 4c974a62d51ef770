using Microsoft.CodeAnalysis.Text;
using MlaGen.Generator.Configs;

namespace MlaGen.Generator.Tests.Configs;

public class JsonReaderTests
{
    [Fact]
    public void Every_value_and_name_knows_its_place()
    {
        const string Text = "{\n  \"a\": [1, \"x\\n\"],\n  \"b\" : { }\n}";
        JsonValue root = JsonReader.Read(Text).Root!;

        JsonProperty a = root.Find("a")!;
        JsonProperty b = root.Find("b")!;
        Assert.Equal("\"a\"", Slice(Text, a.NameSpan));
        Assert.Equal("\"a\": [1, \"x\\n\"]", Slice(Text, a.Span));
        Assert.Equal("1", Slice(Text, a.Value.Items[0].Span));
        Assert.Equal("\"x\\n\"", Slice(Text, a.Value.Items[1].Span));
        Assert.Equal("x\n", a.Value.Items[1].Text);
        Assert.Equal("{ }", Slice(Text, b.Value.Span));
        Assert.Equal(Text, Slice(Text, root.Span));
    }

    [Theory]
    [InlineData("512", 512)]
    [InlineData("512.0", 512)]
    [InlineData("5.12e2", 512)]
    [InlineData("-0", 0)]
    public void A_whole_number_is_one_however_it_is_written(string text, int expected)
    {
        Assert.True(JsonReader.Read(text).Root!.TryGetInt32(out int value));
        Assert.Equal(expected, value);
    }

    [Theory]
    [InlineData("1e-06", 1e-6)]
    [InlineData("50000.0", 50000)]
    [InlineData("0.707", 0.707)]
    public void Numbers_are_read_alike_in_every_culture(string text, double expected)
    {
        Assert.True(JsonReader.Read(text).Root!.TryGetDouble(out double value));
        Assert.Equal(expected, value);
    }

    [Theory]
    [InlineData("512.5")]
    [InlineData("2147483648")]
    [InlineData("1e999")]
    [InlineData("\"512\"")]
    [InlineData("null")]
    public void What_is_no_whole_number_in_range_is_refused_as_one(string text)
        => Assert.False(JsonReader.Read(text).Root!.TryGetInt32(out _));

    [Theory]
    [InlineData("", "found the end of the text; expected a value", 0)]
    [InlineData("{\"a\":1,}", "found '}'; expected a property name in double quotes", 7)]
    [InlineData("[1,]", "found ']'; expected a value", 3)]
    [InlineData("[1 2]", "found '2'; expected ',' or ']'", 3)]
    [InlineData("{\"a\" 1}", "found '1'; expected ':'", 5)]
    [InlineData("{'a':1}", "found '''; expected a property name in double quotes", 1)]
    [InlineData("// no\n1", "found '/'; expected a value", 0)]
    [InlineData("1 /* no */", "found '/'; expected the end of the text", 2)]
    [InlineData("01", "found '1'; expected the end of the text", 1)]
    [InlineData("1.", "found the end of the text; expected a digit", 2)]
    [InlineData("-", "found the end of the text; expected a digit", 1)]
    [InlineData("NaN", "found 'N'; expected a value", 0)]
    [InlineData("tru", "found 't'; expected a value", 0)]
    [InlineData("\"\\x\"", "found 'x'; expected one of \" \\ / b f n r t u after the backslash", 2)]
    [InlineData("\"\\u12G4\"", "found 'G'; expected four hexadecimal digits", 5)]
    [InlineData("\"a\tb\"", "found U+0009; expected an escape: control characters cannot stand in a string", 2)]
    [InlineData("\"open", "a string is not closed", 0)]
    [InlineData("\"\\uD800\"", "half a surrogate pair is no character", 1)]
    [InlineData("\u00A0 1", "found U+00A0; expected a value", 0)]
    public void A_mistake_is_named_and_located(string text, string error, int position)
    {
        JsonDocument document = JsonReader.Read(text);

        Assert.Null(document.Root);
        Assert.Equal(error, document.Error);
        Assert.Equal(position, document.ErrorSpan.Start);
    }

    [Fact]
    public void Nesting_ends_at_the_limit()
    {
        Assert.NotNull(JsonReader.Read(Nested(JsonReader.MaxDepth)).Root);
        Assert.Equal("nested deeper than 64 levels", JsonReader.Read(Nested(JsonReader.MaxDepth + 1)).Error);
        Assert.Equal("nested deeper than 64 levels", JsonReader.Read(new string('[', 1_000_000)).Error);
    }

    [Fact]
    public void A_text_beyond_the_limit_is_not_read()
        => Assert.Equal("the text has 4194305 characters; expected at most 4194304", JsonReader.Read(new string(' ', JsonReader.MaxLength + 1)).Error);

    [Fact]
    public void A_byte_order_mark_is_accepted_at_the_start_alone()
    {
        Assert.NotNull(JsonReader.Read("\uFEFF{}").Root);
        Assert.Null(JsonReader.Read("{\uFEFF}").Root);
    }

    [Fact]
    public void Repeated_names_are_kept_and_reported()
    {
        JsonDocument document = JsonReader.Read("""{"a":1,"b":{"a":2,"a":3},"a":4}""");

        Assert.Equal(["3", "4"], document.Duplicates.Select(static property => property.Value.Text));
        Assert.Equal("1", document.Root!.Find("a")!.Value.Text);
    }

    [Fact]
    public void A_cancelled_reading_stops()
    {
        using var source = new CancellationTokenSource();
        source.Cancel();
        Assert.Throws<OperationCanceledException>(() => JsonReader.Read("[]", source.Token));
    }

    private static string Nested(int depth) => new string('[', depth) + new string(']', depth);

    private static string Slice(string text, TextSpan span) => text.Substring(span.Start, span.Length);
}
