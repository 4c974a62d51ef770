using System.Globalization;
using System.Text.Json;

namespace MlaGen.Models;

/// <summary>An object of <c>config.json</c>. Nothing leaves it unchecked: every number has a range, and what is wrong is told with its key. Null is as good as absent.</summary>
/// <param name="file">The file, for messages.</param>
/// <param name="json">The object.</param>
/// <param name="path">What keys begin with in messages.</param>
internal sealed class ConfigSection(string file, JsonElement json, string path = "")
{
    private const int LongestQuote = 60;

    /// <summary>The file, for messages.</summary>
    public string File => file;

    public bool Has(string key) => Find(key) is not null;

    /// <summary>Whether the key is there and says null, which a few take for something else than its absence.</summary>
    public bool IsNull(string key) => json.TryGetProperty(key, out JsonElement value) && value.ValueKind == JsonValueKind.Null;

    public bool IsText(string key) => Find(key) is { ValueKind: JsonValueKind.String };

    /// <summary>Reads a whole number. What its absence stands for has the same range: the two may depend on other keys.</summary>
    public int Integer(string key, int least, int most, int? absent = null)
    {
        if (Find(key) is not { } value)
        {
            return absent is { } given && given >= least && given <= most
                ? given
                : throw Wrong(key, Between(least, most), absent is { } wrong ? FormattableString.Invariant($"nothing, which is {wrong}") : "nothing");
        }

        return Number(value) is { } number && number == Math.Floor(number) && number >= least && number <= most ? (int)number : throw Wrong(key, Between(least, most), Quote(value));
    }

    public double Number(string key, double least, double most, double? absent = null)
    {
        if (Find(key) is not { } value)
        {
            return absent ?? throw Wrong(key, Between(least, most), "nothing");
        }

        return Number(value) is { } number && number >= least && number <= most ? number : throw Wrong(key, Between(least, most), Quote(value));
    }

    public bool Flag(string key, bool? absent = null) => Find(key) switch
    {
        null => absent ?? throw Wrong(key, "true or false", "nothing"),
        { ValueKind: JsonValueKind.True } => true,
        { ValueKind: JsonValueKind.False } => false,
        { } value => throw Wrong(key, "true or false", Quote(value)),
    };

    public string? Text(string key) => Find(key) switch
    {
        null => null,
        { ValueKind: JsonValueKind.String } value => value.GetString(),
        { } value => throw Wrong(key, "a string", Quote(value)),
    };

    /// <summary>Reads one of a few words.</summary>
    public string Word(string key, string? absent, params ReadOnlySpan<string> words)
    {
        string expected = string.Join(" or ", words.ToArray().Select(static word => $"\"{word}\""));
        string found = Text(key) ?? absent ?? throw Wrong(key, expected, "nothing");
        return words.Contains(found) ? found : throw Wrong(key, expected, $"\"{Shorten(found)}\"");
    }

    public ConfigSection? Section(string key) => Find(key) switch
    {
        null => null,
        { ValueKind: JsonValueKind.Object } value => new ConfigSection(file, value, $"{path}{key}."),
        { } value => throw Wrong(key, "an object", Quote(value)),
    };

    /// <summary>The objects that it has, whatever their keys.</summary>
    public IEnumerable<ConfigSection> Sections() => json.EnumerateObject().Select(property => Section(property.Name)).OfType<ConfigSection>();

    /// <summary>Reads an array of exactly so many words; none if it is absent.</summary>
    public string[]? Words(string key, int count, params string[] words)
    {
        if (Find(key) is not { } value)
        {
            return null;
        }

        string expected = $"{count} of {string.Join(" or ", words.Select(static word => $"\"{word}\""))}";
        string?[] found = value.ValueKind == JsonValueKind.Array && value.GetArrayLength() == count
            ? [.. value.EnumerateArray().Select(static item => item.ValueKind == JsonValueKind.String ? item.GetString() : null)]
            : throw Wrong(key, expected, Quote(value));
        return found.All(words.Contains) ? [.. found.Select(static word => word!)] : throw Wrong(key, expected, Quote(value));
    }

    /// <summary>Reads an array of exactly so many numbers.</summary>
    public double[] Numbers(string key, int count, double least, double most)
    {
        string expected = $"an array of length {count}, each {Between(least, most)}";
        if (Find(key) is not { } value)
        {
            throw Wrong(key, expected, "nothing");
        }

        double?[] found = value.ValueKind == JsonValueKind.Array && value.GetArrayLength() == count ? [.. value.EnumerateArray().Select(Number)] : throw Wrong(key, expected, Quote(value));
        return found.All(number => number >= least && number <= most) ? [.. found.Select(static number => number!.Value)] : throw Wrong(key, expected, Quote(value));
    }

    /// <summary>Reads token ids: one, or an array of them; none if they are absent.</summary>
    public int[] Tokens(string key, int vocabulary)
    {
        if (Find(key) is not { } value)
        {
            return [];
        }

        const int Most = 1024;
        JsonElement[] items = value.ValueKind == JsonValueKind.Array && value.GetArrayLength() <= Most ? [.. value.EnumerateArray()] : [value];
        return [.. items.Select(item => Number(item) is { } id && id == Math.Floor(id) && id >= 0 && id < vocabulary
            ? (int)id
            : throw Wrong(key, FormattableString.Invariant($"tokens from 0 to {vocabulary - 1}"), Quote(value)))];
    }

    /// <summary>What to throw at a value.</summary>
    public ModelConfigException Wrong(string key, string expected, string found) => new($"{path}{key}: expected {expected}, found {found}", file);

    private static double? Number(JsonElement value) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out double number) && double.IsFinite(number) ? number : null;

    private static string Between(double least, double most) => string.Create(CultureInfo.InvariantCulture, $"a number from {least} to {most}");

    private static string Quote(JsonElement value) => Shorten(value.GetRawText());

    private static string Shorten(string text)
    {
        char[] shown = [.. text.Take(LongestQuote).Select(static character => char.IsControl(character) || char.IsSurrogate(character) ? '?' : character)];
        return text.Length <= LongestQuote ? new string(shown) : $"{new string(shown)}…";
    }

    private JsonElement? Find(string key) => json.TryGetProperty(key, out JsonElement value) && value.ValueKind != JsonValueKind.Null ? value : null;
}
