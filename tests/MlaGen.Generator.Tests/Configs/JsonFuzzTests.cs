using System.Globalization;
using System.Text;
using System.Text.Json;
using MlaGen.Generator.Configs;
using JsonDocument = System.Text.Json.JsonDocument;

namespace MlaGen.Generator.Tests.Configs;

/// <summary>System.Text.Json is the judge: the own reader accepts and refuses the same texts, and reads the same values.</summary>
public class JsonFuzzTests
{
    private const int Documents = 20_000;

    private const string Alphabet = "{}[]\",:\\/ \t\n\r0123456789.eE+-truefalsnu\u0000\u001F\u007Fbx\u00E9\u20AC\uFEFF";

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Generated_and_mutated_documents_are_read_as_System_Text_Json_reads_them(int seed)
    {
        var random = new Random(seed);
        int accepted = 0;
        for (int i = 0; i < Documents; i++)
        {
            string text = Generate(random, 0);
            int mutations = random.Next(4);
            for (int mutation = 0; mutation < mutations; mutation++)
            {
                text = Mutate(random, text);
            }

            accepted += Compare(text) ? 1 : 0;
        }

        // A comparison in which one side never says yes, or never no, compares nothing.
        Assert.InRange(accepted, Documents / 5, Documents * 4 / 5);
    }

    private static bool Compare(string text)
    {
        JsonValue? own = JsonReader.Read(text).Root;
        string? expected;
        try
        {
            // A byte order mark is no JSON, but files have one: System.Text.Json skips it when it reads a stream.
            using JsonDocument document = JsonDocument.Parse(text.StartsWith('\uFEFF') ? text[1..] : text);
            expected = Show(document.RootElement);
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException or ArgumentException)
        {
            // InvalidOperationException: it finds half a surrogate pair only when the string is asked for.
            expected = null;
        }

        string? actual = own is null ? null : Show(own);
        Assert.True(expected == actual, $"{Quote(text)}\nexpected {expected ?? "a refusal"}\nfound    {actual ?? "a refusal"}");
        return expected is not null;
    }

    private static string Show(JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.Object => "{" + string.Join(",", element.EnumerateObject().Select(static member => Quote(member.Name) + ":" + Show(member.Value))) + "}",
        JsonValueKind.Array => "[" + string.Join(",", element.EnumerateArray().Select(Show)) + "]",
        JsonValueKind.String => Quote(element.GetString()!),
        JsonValueKind.Number => element.GetRawText() + "=" + Show(element.GetDouble(), element.TryGetInt32(out int whole) ? whole : null),
        _ => element.ValueKind.ToString(),
    };

    private static string Show(JsonValue value) => value.Kind switch
    {
        JsonKind.Object => "{" + string.Join(",", value.Properties.Select(static member => Quote(member.Name) + ":" + Show(member.Value))) + "}",
        JsonKind.Array => "[" + string.Join(",", value.Items.Select(Show)) + "]",
        JsonKind.String => Quote(value.Text),
        JsonKind.Number => value.Text + "=" + ShowNumber(value),
        _ => value.Kind.ToString(),
    };

    // System.Text.Json takes only digits for a whole number: 1.0 is one to a configuration.
    private static string ShowNumber(JsonValue value)
    {
        double number = value.TryGetDouble(out double finite) ? finite : value.Text.StartsWith('-') ? double.NegativeInfinity : double.PositiveInfinity;
        bool isDigits = value.Text.All(static character => char.IsAsciiDigit(character) || character == '-');
        return Show(number, isDigits && value.TryGetInt32(out int whole) ? whole : null);
    }

    private static string Show(double number, int? whole)
        => BitConverter.DoubleToInt64Bits(number).ToString("X", CultureInfo.InvariantCulture) + "/" + whole?.ToString(CultureInfo.InvariantCulture);

    private static string Quote(string text) => "\"" + string.Concat(text.Select(static character => character is < ' ' or > '~' ? $"\\u{(int)character:X4}" : character.ToString())) + "\"";

    private static string Generate(Random random, int depth)
    {
        string space = random.Next(4) == 0 ? " \t\r\n".Substring(random.Next(4), 1) : string.Empty;
        string value = random.Next(depth > 4 ? 6 : 9) switch
        {
            0 => "null",
            1 => "true",
            2 => "false",
            3 or 4 => Number(random),
            5 => Text(random),
            6 => "[" + Join(random, () => Generate(random, depth + 1)) + "]",
            _ => "{" + Join(random, () => Text(random) + space + ":" + Generate(random, depth + 1)) + "}",
        };
        return space + value + space;
    }

    private static string Join(Random random, Func<string> element) => string.Join(",", Enumerable.Range(0, random.Next(4)).Select(_ => element()));

    private static string Number(Random random) => random.Next(6) switch
    {
        0 => random.Next(-5, 5).ToString(CultureInfo.InvariantCulture),
        1 => random.Next().ToString(CultureInfo.InvariantCulture) + ".0",
        2 => random.NextInt64().ToString(CultureInfo.InvariantCulture),
        3 => "1e" + random.Next(-400, 400).ToString(CultureInfo.InvariantCulture),
        4 => (random.NextDouble() * 1e6).ToString("R", CultureInfo.InvariantCulture),
        _ => "-0." + random.Next().ToString(CultureInfo.InvariantCulture) + "E+" + random.Next(20).ToString(CultureInfo.InvariantCulture),
    };

    private static string Text(Random random)
    {
        var text = new StringBuilder("\"");
        for (int i = random.Next(6); i > 0; i--)
        {
            text.Append(random.Next(8) switch
            {
                0 => "\\n",
                1 => "\\\"",
                2 => "\\u" + random.Next(0x10000).ToString("x4", CultureInfo.InvariantCulture),
                3 => "\\uD83D\\uDE00",
                4 => "\U0001F600",
                5 => "\u00E9",
                _ => ((char)random.Next('a', 'd')).ToString(),
            });
        }

        return text.Append('"').ToString();
    }

    private static string Mutate(Random random, string text)
    {
        int position = random.Next(text.Length + 1);
        char character = Alphabet[random.Next(Alphabet.Length)];
        return random.Next(4) switch
        {
            0 => text.Insert(position, character.ToString()),
            1 when position < text.Length => text.Remove(position, 1),
            2 when position < text.Length => text.Remove(position, 1).Insert(position, character.ToString()),
            3 => text[..position],
            _ => text,
        };
    }
}
