using System.Collections.Immutable;
using System.Globalization;
using Microsoft.CodeAnalysis.Text;
using MlaGen.Generator.Diagnostics;

namespace MlaGen.Generator.Configs;

/// <summary>What a JSON value is.</summary>
internal enum JsonKind
{
    Null,
    False,
    True,
    Number,
    String,
    Array,
    Object,
}

/// <summary>One JSON value and where it stands in its file.</summary>
/// <param name="kind">What it is.</param>
/// <param name="span">Its place, quotes and brackets included.</param>
/// <param name="text">A string's content, or a number as written.</param>
/// <param name="items">An array's elements.</param>
/// <param name="properties">An object's members in the order of the file, repeated names included.</param>
/// <param name="index">An object's members by name, the first of each.</param>
internal sealed class JsonValue(
    JsonKind kind,
    TextSpan span,
    string text,
    ImmutableArray<JsonValue> items,
    ImmutableArray<JsonProperty> properties,
    IReadOnlyDictionary<string, JsonProperty>? index = null)
{
    public JsonKind Kind { get; } = kind;

    public TextSpan Span { get; } = span;

    public string Text { get; } = text;

    public ImmutableArray<JsonValue> Items { get; } = items;

    public ImmutableArray<JsonProperty> Properties { get; } = properties;

    /// <summary>Whether the value switches off what it stands for: null, false, 0, or something empty. Python takes all of them for false.</summary>
    public bool IsOff => Kind switch
    {
        JsonKind.Null or JsonKind.False => true,
        JsonKind.Number => TryGetDouble(out double number) && number == 0,
        JsonKind.Array => Items.IsEmpty,
        JsonKind.Object => Properties.IsEmpty,
        JsonKind.String => Text.Length == 0 || string.Equals(Text, "none", StringComparison.OrdinalIgnoreCase),
        _ => false,
    };

    /// <summary>The member of that name, or null.</summary>
    public JsonProperty? Find(string name) => index is not null && index.TryGetValue(name, out JsonProperty? property) ? property : null;

    /// <summary>A number's value; false for another kind, and for a number beyond the range of a double.</summary>
    public bool TryGetDouble(out double value)
    {
        value = 0;
        return Kind == JsonKind.Number
            && double.TryParse(Text, NumberStyles.Float, CultureInfo.InvariantCulture, out value)
            && !double.IsInfinity(value);
    }

    /// <summary>A number's value when it is a whole one, however written (<c>512</c>, <c>512.0</c>, <c>5.12e2</c>).</summary>
    public bool TryGetInt32(out int value)
    {
        value = 0;
        if (!TryGetDouble(out double number) || number != Math.Floor(number) || number < int.MinValue || number > int.MaxValue)
        {
            return false;
        }

        value = (int)number;
        return true;
    }

    /// <summary>Whether both say the same: numbers by value, objects whatever the order of their members.</summary>
    public bool SameAs(JsonValue other)
    {
        if (Kind != other.Kind || Items.Length != other.Items.Length || Properties.Length != other.Properties.Length)
        {
            return false;
        }

        return Kind switch
        {
            JsonKind.Number => TryGetDouble(out double one) && other.TryGetDouble(out double two) ? one == two : Text == other.Text,
            JsonKind.String => Text == other.Text,
            JsonKind.Array => Items.Zip(other.Items, static (one, two) => one.SameAs(two)).All(static same => same),
            JsonKind.Object => Properties.All(property => other.Find(property.Name) is { } match && property.Value.SameAs(match.Value)),
            _ => true,
        };
    }

    /// <summary>The value as a message shows it: short, on one line.</summary>
    public override string ToString() => Kind switch
    {
        JsonKind.Null => "null",
        JsonKind.False => "false",
        JsonKind.True => "true",
        JsonKind.Number => Shorten(Text),
        JsonKind.String => "\"" + Shorten(Text) + "\"",
        JsonKind.Array => Items.Length <= 4 && Items.All(static item => item.Kind <= JsonKind.Number)
            ? "[" + string.Join(", ", Items) + "]"
            : "an array of " + Items.Length.ToString(CultureInfo.InvariantCulture),
        _ => "an object",
    };

    private static string Shorten(string text) => Unprintable.Escape(text, 40);
}

/// <summary>One member of a JSON object.</summary>
/// <param name="name">Its name, unescaped.</param>
/// <param name="nameSpan">Where the name stands, quotes included.</param>
/// <param name="value">Its value.</param>
internal sealed class JsonProperty(string name, TextSpan nameSpan, JsonValue value)
{
    public string Name { get; } = name;

    public TextSpan NameSpan { get; } = nameSpan;

    public JsonValue Value { get; } = value;

    /// <summary>Name and value together.</summary>
    public TextSpan Span => TextSpan.FromBounds(NameSpan.Start, Value.Span.End);
}
