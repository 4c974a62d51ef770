using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace MlaGen.Models;

/// <summary>What a name or member that is not there stands for.</summary>
internal sealed record Undefined(string Name);

/// <summary>A list, or what behaves like one.</summary>
internal sealed class TemplateList(List<object?> items, TemplateListKind kind = TemplateListKind.List)
{
    public List<object?> Items { get; } = items;

    public TemplateListKind Kind { get; } = kind;
}

internal enum TemplateListKind
{
    List,
    Tuple,

    /// <summary>What map, select and the like return: it is true even when it is empty.</summary>
    Generator,
}

/// <summary>A mapping in the order of insertion.</summary>
internal sealed class TemplateMap : OrderedDictionary<object, object?>
{
    /// <summary>Whether it is a <c>namespace</c>, whose members a template may set.</summary>
    public bool IsNamespace { get; init; }
}

/// <summary>The arguments of a call.</summary>
internal sealed record TemplateArguments(List<object?> Positional, Dictionary<string, object?> Named)
{
    public static TemplateArguments None { get; } = new([], []);

    /// <summary>The argument at a place or of a name; the default where it is not given.</summary>
    public object? Get(int index, string name, object? otherwise = null) =>
        index < Positional.Count ? Positional[index] : Named.TryGetValue(name, out object? value) ? value : otherwise;
}

/// <summary>Something that can be called.</summary>
internal delegate object? TemplateFunction(TemplateRun run, TemplateArguments arguments);

/// <summary>Values of templates, and what Python does with them. They are null, bool, long, double, string and the types of this file.</summary>
internal static class TemplateValue
{
    public static bool IsSpace(char c) => char.IsWhiteSpace(c) || c is >= '\x1c' and <= '\x1f';

    /// <summary>A value of JSON.</summary>
    public static object? Of(JsonNode? node, TemplateRun run)
    {
        run.Enter();
        object? value = node switch
        {
            null => null,
            JsonObject members => Map(members),
            JsonArray items => new TemplateList([.. items.Select(item => Of(item, run))]),
            _ => Scalar(node),
        };
        run.Leave();
        return value;

        TemplateMap Map(JsonObject members)
        {
            TemplateMap map = [];
            foreach ((string name, JsonNode? member) in members)
            {
                map[name] = Of(member, run);
            }

            return map;
        }
    }

    private static object? Scalar(JsonNode node)
    {
        switch (node.GetValueKind())
        {
            case JsonValueKind.String:
                return node.GetValue<string>();
            case JsonValueKind.True:
                return true;
            case JsonValueKind.False:
                return false;
            case JsonValueKind.Number:
                string number = node.ToJsonString();
                return long.TryParse(number, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long integer) ? (object)integer : double.Parse(number, NumberStyles.Float, CultureInfo.InvariantCulture);
            default:
                return null;
        }
    }

    public static bool IsTrue(object? value) => value switch
    {
        null or Undefined => false,
        bool flag => flag,
        long number => number != 0,
        double number => number != 0,
        string text => text.Length > 0,
        TemplateList { Kind: not TemplateListKind.Generator } list => list.Items.Count > 0,
        TemplateMap { IsNamespace: false } map => map.Count > 0,
        _ => true,
    };

    public static string TypeOf(object? value) => value switch
    {
        null => "none",
        Undefined missing => $"undefined '{missing.Name}'",
        bool => "a boolean",
        long => "an integer",
        double => "a float",
        string => "a text",
        TemplateList => "a list",
        TemplateMap => "a mapping",
        _ => "a function",
    };

    public static bool AreEqual(object? one, object? other, TemplateRun run)
    {
        run.Enter();
        bool equal = (one, other) switch
        {
            (null, null) or (Undefined, Undefined) => true,
            (string text, string same) => text == same,
            (bool or long or double, bool or long or double) => one is double || other is double ? ToDouble(one) == ToDouble(other) : ToLong(one) == ToLong(other),
            (TemplateList list, TemplateList same) => (list.Kind == TemplateListKind.Tuple) == (same.Kind == TemplateListKind.Tuple) && list.Items.Count == same.Items.Count && list.Items.Zip(same.Items).All(pair => AreEqual(pair.First, pair.Second, run)),
            (TemplateMap map, TemplateMap same) => ReferenceEquals(map, same) || (map.Count == same.Count && map.All(entry => same.TryGetValue(entry.Key, out object? value) && AreEqual(entry.Value, value, run))),
            _ => ReferenceEquals(one, other),
        };
        run.Leave();
        return equal;
    }

    public static int Compare(object? one, object? other, TemplateRun run)
    {
        run.Enter();
        int order = (one, other) switch
        {
            (string text, string same) => string.CompareOrdinal(text, same),
            (bool or long, bool or long) => ToLong(one).CompareTo(ToLong(other)),
            (bool or long or double, bool or long or double) => ToDouble(one).CompareTo(ToDouble(other)),
            (TemplateList list, TemplateList same) => list.Items.Zip(same.Items).Select(pair => Compare(pair.First, pair.Second, run)).FirstOrDefault(order => order != 0, list.Items.Count.CompareTo(same.Items.Count)),
            _ => throw new TemplateError($"{TypeOf(one)} and {TypeOf(other)} have no order"),
        };
        run.Leave();
        return order;
    }

    public static bool Contains(object? container, object? item, TemplateRun run)
    {
        switch (container)
        {
            case string text:
                run.Step(text.Length);
                return text.Contains(item as string ?? throw new TemplateError($"a text cannot contain {TypeOf(item)}"), StringComparison.Ordinal);
            case TemplateMap map:
                return item is not null && map.ContainsKey(item);
            case Undefined:
                return false;
            case TemplateList list:
                return list.Items.Exists(present => AreEqual(present, item, run));
            default:
                throw new TemplateError($"{TypeOf(container)} contains nothing");
        }
    }

    public static bool IsInteger(object? value) => value is long or bool;

    public static bool IsNumber(object? value) => value is long or bool or double;

    public static long ToLong(object? value) => value switch
    {
        long number => number,
        bool flag => flag ? 1 : 0,
        _ => throw new TemplateError($"expected an integer, found {TypeOf(value)}"),
    };

    public static double ToDouble(object? value) => value is double number ? number : ToLong(value);

    public static string ToText(object? value, string what) => value as string ?? throw new TemplateError($"{what} needs a text, found {TypeOf(value)}");

    /// <summary>What a loop goes through.</summary>
    public static List<object?> ToItems(object? value, TemplateRun run)
    {
        List<object?> items = value switch
        {
            TemplateList list => list.Items,
            TemplateMap { IsNamespace: false } map => [.. map.Keys],
            string text => [.. text.EnumerateRunes().Select(rune => rune.ToString())],
            Undefined => [],
            _ => throw new TemplateError($"{TypeOf(value)} has no elements"),
        };
        if (value is string or TemplateMap)
        {
            run.Allocate(items.Count);
        }

        return items;
    }

    /// <summary>Python's <c>str</c>.</summary>
    public static string ToString(object? value, TemplateRun run)
    {
        if (value is string or Undefined)
        {
            return value as string ?? "";
        }

        StringBuilder written = new();
        Represent(value, written, run);
        return written.ToString();
    }

    /// <summary>Python's <c>repr</c>.</summary>
    private static void Represent(object? value, StringBuilder written, TemplateRun run)
    {
        run.Enter();
        int begun = written.Length;
        switch (value)
        {
            case null:
                written.Append("None");
                break;
            case Undefined:
                written.Append("Undefined");
                break;
            case bool flag:
                written.Append(flag ? "True" : "False");
                break;
            case long number:
                written.Append(CultureInfo.InvariantCulture, $"{number}");
                break;
            case double number:
                written.Append(Number(number));
                break;
            case string text:
                Quote(text, written);
                break;
            case TemplateList list:
                bool isTuple = list.Kind == TemplateListKind.Tuple;
                written.Append(isTuple ? '(' : '[');
                for (int i = 0; i < list.Items.Count; i++)
                {
                    written.Append(i == 0 ? "" : ", ");
                    Represent(list.Items[i], written, run);
                }

                written.Append(isTuple && list.Items.Count == 1 ? ",)" : isTuple ? ")" : "]");
                break;
            case TemplateMap { IsNamespace: false } map:
                written.Append('{');
                foreach ((object key, object? member) in map)
                {
                    written.Append(written[^1] == '{' && written.Length == begun + 1 ? "" : ", ");
                    Represent(key, written, run);
                    written.Append(": ");
                    Represent(member, written, run);
                }

                written.Append('}');
                break;
            default:
                throw new TemplateError($"{TypeOf(value)} has no text");
        }

        if (value is not (TemplateList or TemplateMap))
        {
            run.Allocate(written.Length - begun);
        }

        run.Leave();
    }

    private static void Quote(string text, StringBuilder written)
    {
        char quote = text.Contains('\'', StringComparison.Ordinal) && !text.Contains('"', StringComparison.Ordinal) ? '"' : '\'';
        written.Append(quote);
        foreach (Rune rune in text.EnumerateRunes())
        {
            int c = rune.Value;
            UnicodeCategory category = Rune.GetUnicodeCategory(rune);
            string? escaped = c switch
            {
                '\n' => "\\n",
                '\r' => "\\r",
                '\t' => "\\t",
                '\\' => "\\\\",
                _ when c == quote => "\\" + quote,
                ' ' => null,
                _ when category is not (UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.OtherNotAssigned or UnicodeCategory.PrivateUse or UnicodeCategory.SpaceSeparator or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator) => null,
                <= 0xFF => $"\\x{c:x2}",
                <= 0xFFFF => $"\\u{c:x4}",
                _ => $"\\U{c:x8}",
            };
            written.Append(escaped ?? rune.ToString());
        }

        written.Append(quote);
    }

    /// <summary>Python's shortest form of a float: with an exponent below 1e-4 and from 1e16 on.</summary>
    public static string Number(double number)
    {
        if (!double.IsFinite(number))
        {
            return double.IsNaN(number) ? "nan" : number > 0 ? "inf" : "-inf";
        }

        // Digits and the place of the point, of .NET's shortest form: [-]d[.d][E+d].
        string shortest = number.ToString("R", CultureInfo.InvariantCulture);
        int end = shortest.IndexOf('E', StringComparison.Ordinal) is var at and >= 0 ? at : shortest.Length;
        string mantissa = shortest[(shortest[0] == '-' ? 1 : 0)..end];
        int point = mantissa.IndexOf('.', StringComparison.Ordinal) is var dot and >= 0 ? dot : mantissa.Length;
        point += end < shortest.Length ? int.Parse(shortest.AsSpan(end + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture) : 0;
        string digits = mantissa.Replace(".", "", StringComparison.Ordinal);
        int zeros = digits.Length - digits.TrimStart('0').Length;
        (digits, point) = zeros == digits.Length ? ("0", 1) : (digits.Trim('0'), point - zeros);
        string text = point is > 16 or < -3
            ? $"{digits[0]}{(digits.Length > 1 ? "." + digits[1..] : "")}e{(point < 1 ? '-' : '+')}{Math.Abs(point - 1):00}"
            : point <= 0 ? "0." + new string('0', -point) + digits
            : digits.Length <= point ? digits.PadRight(point, '0') + ".0"
            : digits.Insert(point, ".");
        return (shortest[0] == '-' ? "-" : "") + text;
    }

    /// <summary>Python's <c>json.dumps</c> with <c>ensure_ascii=False</c>, as transformers' <c>tojson</c> calls it.</summary>
    public static string ToJson(object? value, int? indent, string itemSeparator, string keySeparator, bool sorts, TemplateRun run)
    {
        StringBuilder written = new();
        Write(value, 0);
        return written.ToString();

        void Write(object? current, int level)
        {
            run.Enter();
            int begun = written.Length;
            switch (current)
            {
                case null:
                    written.Append("null");
                    break;
                case bool flag:
                    written.Append(flag ? "true" : "false");
                    break;
                case long number:
                    written.Append(CultureInfo.InvariantCulture, $"{number}");
                    break;
                case double number:
                    written.Append(double.IsFinite(number) ? Number(number) : double.IsNaN(number) ? "NaN" : number > 0 ? "Infinity" : "-Infinity");
                    break;
                case string text:
                    QuoteJson(text, written);
                    break;
                case TemplateList { Kind: not TemplateListKind.Generator } list:
                    Bracketed('[', ']', list.Items, level, item => Write(item, level + 1));
                    break;
                case TemplateMap { IsNamespace: false } map:
                    IEnumerable<KeyValuePair<object, object?>> members = sorts ? map.OrderBy(entry => entry.Key as string, StringComparer.Ordinal) : map;
                    Bracketed('{', '}', [.. members], level, entry =>
                    {
                        QuoteJson(entry.Key as string ?? throw new TemplateError("a mapping whose keys are no texts has no JSON"), written);
                        written.Append(keySeparator);
                        Write(entry.Value, level + 1);
                    });
                    break;
                default:
                    throw new TemplateError($"{TypeOf(current)} has no JSON");
            }

            if (current is not (TemplateList or TemplateMap))
            {
                run.Allocate(written.Length - begun);
            }

            run.Leave();
        }

        void Bracketed<T>(char open, char close, List<T> items, int level, Action<T> write)
        {
            written.Append(open);
            for (int i = 0; i < items.Count; i++)
            {
                written.Append(i == 0 ? "" : itemSeparator);
                Break(level + 1);
                write(items[i]);
            }

            if (items.Count > 0)
            {
                Break(level);
            }

            written.Append(close);
        }

        void Break(int level)
        {
            if (indent is { } width)
            {
                run.Allocate((long)level * width);
                written.Append('\n').Append(' ', level * width);
            }
        }
    }

    private static void QuoteJson(string text, StringBuilder written)
    {
        written.Append('"');
        foreach (char c in text)
        {
            _ = c switch
            {
                '"' => written.Append("\\\""),
                '\\' => written.Append("\\\\"),
                '\n' => written.Append("\\n"),
                '\r' => written.Append("\\r"),
                '\t' => written.Append("\\t"),
                '\f' => written.Append("\\f"),
                '\b' => written.Append("\\b"),
                < ' ' => written.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}"),
                _ => written.Append(c),
            };
        }

        written.Append('"');
    }
}
