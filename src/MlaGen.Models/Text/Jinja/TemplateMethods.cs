using System.Text;

namespace MlaGen.Models;

/// <summary>Methods of texts, lists and mappings. Those that change what they are called on are not among them, as in transformers' sandbox.</summary>
internal static class TemplateMethods
{
    private delegate object? Method(TemplateRun run, string text, TemplateArguments arguments);

    private static readonly Dictionary<string, Method> _ofTexts = new()
    {
        ["strip"] = static (_, text, arguments) => Strip(text, arguments, start: true, end: true),
        ["lstrip"] = static (_, text, arguments) => Strip(text, arguments, start: true, end: false),
        ["rstrip"] = static (_, text, arguments) => Strip(text, arguments, start: false, end: true),
        ["split"] = static (run, text, arguments) => Split(run, text, arguments, fromEnd: false),
        ["rsplit"] = static (run, text, arguments) => Split(run, text, arguments, fromEnd: true),
        ["splitlines"] = static (run, text, _) => Pieces(run, text.Length, Lines(text)),
        ["startswith"] = static (_, text, arguments) => AnyOf(arguments, "prefix", prefix => text.StartsWith(prefix, StringComparison.Ordinal)),
        ["endswith"] = static (_, text, arguments) => AnyOf(arguments, "suffix", suffix => text.EndsWith(suffix, StringComparison.Ordinal)),
        ["removeprefix"] = static (_, text, arguments) => Text(arguments, 0, "prefix") is var prefix && text.StartsWith(prefix, StringComparison.Ordinal) ? text[prefix.Length..] : text,
        ["removesuffix"] = static (_, text, arguments) => Text(arguments, 0, "suffix") is var suffix && text.EndsWith(suffix, StringComparison.Ordinal) ? text[..^suffix.Length] : text,
        ["upper"] = static (_, text, _) => text.ToUpperInvariant(),
        ["lower"] = static (_, text, _) => text.ToLowerInvariant(),
        ["capitalize"] = static (_, text, _) => Capitalize(text),
        ["title"] = static (_, text, _) => Title(text),
        ["replace"] = static (run, text, arguments) => Replace(run, text, Text(arguments, 0, "old"), Text(arguments, 1, "new"), arguments.Get(2, "count", -1L)),
        ["join"] = static (run, text, arguments) => Join(run, text, TemplateValue.ToItems(arguments.Get(0, "iterable"), run).Select(item => TemplateValue.ToText(item, "join"))),
        ["find"] = static (_, text, arguments) => Place(text, text.IndexOf(Text(arguments, 0, "sub"), StringComparison.Ordinal)),
        ["rfind"] = static (_, text, arguments) => Place(text, text.LastIndexOf(Text(arguments, 0, "sub"), StringComparison.Ordinal)),
        ["index"] = static (_, text, arguments) => text.IndexOf(Text(arguments, 0, "sub"), StringComparison.Ordinal) is var at and >= 0 ? Place(text, at) : throw new TemplateError("index: the text is not there"),
        ["count"] = static (_, text, arguments) => Text(arguments, 0, "sub") is { Length: > 0 } part ? (long)text.AsSpan().Count(part) : throw new TemplateError("count of an empty text is not supported"),
        ["isdigit"] = static (_, text, _) => text.Length > 0 && text.All(char.IsDigit),
        ["isalpha"] = static (_, text, _) => text.Length > 0 && text.All(char.IsLetter),
        ["isalnum"] = static (_, text, _) => text.Length > 0 && text.All(char.IsLetterOrDigit),
        ["isspace"] = static (_, text, _) => text.Length > 0 && text.All(TemplateValue.IsSpace),
        ["isupper"] = static (_, text, _) => TemplateTests.IsCased(text, char.IsLower, char.IsUpper),
        ["islower"] = static (_, text, _) => TemplateTests.IsCased(text, char.IsUpper, char.IsLower),
    };

    /// <summary>A method, bound to what it is called on; null where there is none of that name.</summary>
    public static TemplateFunction? Find(object? target, string name)
    {
        switch (target)
        {
            case string text when _ofTexts.TryGetValue(name, out Method? method):
                return (run, arguments) =>
                {
                    run.Step(1 + (text.Length / 16));
                    run.Allocate(text.Length);
                    return method(run, text, arguments);
                };
            case TemplateMap { IsNamespace: false } map:
                return OfMap(map, name);
            case TemplateList list when name == "index":
                return (run, arguments) => list.Items.FindIndex(item => TemplateValue.AreEqual(item, arguments.Get(0, "value"), run)) is var at and >= 0 ? (long)at : throw new TemplateError("index: the value is not there");
            case TemplateList list when name == "count":
                return (run, arguments) => (long)list.Items.Count(item => TemplateValue.AreEqual(item, arguments.Get(0, "value"), run));
            case TemplateList when name is "append" or "extend" or "insert" or "pop" or "remove" or "clear" or "sort" or "reverse":
                throw new TemplateError($"{name} would change a list; templates may not");
            default:
                return null;
        }
    }

    public static string Capitalize(string text) => text.Length == 0 ? text : text[..1].ToUpperInvariant() + text[1..].ToLowerInvariant();

    /// <summary>Python's <c>title</c>: a letter after a letter is small, any other one large.</summary>
    public static string Title(string text)
    {
        StringBuilder title = new(text.Length);
        bool follows = false;
        foreach (char c in text)
        {
            title.Append(follows ? char.ToLowerInvariant(c) : char.ToUpperInvariant(c));
            follows = char.IsLetter(c);
        }

        return title.ToString();
    }

    public static string Replace(TemplateRun run, string text, string old, string replacement, object? count)
    {
        long most = TemplateValue.ToLong(count);
        if (old.Length == 0)
        {
            throw new TemplateError("replace of an empty text is not supported");
        }

        StringBuilder replaced = new();
        int written = 0;
        for (int at; most != 0 && (at = text.IndexOf(old, written, StringComparison.Ordinal)) >= 0; most--)
        {
            run.Step();
            run.Allocate(replacement.Length);
            replaced.Append(text, written, at - written).Append(replacement);
            written = at + old.Length;
        }

        return replaced.Append(text, written, text.Length - written).ToString();
    }

    public static string Strip(string text, string? characters, bool start, bool end)
    {
        int first = 0, last = text.Length;
        while (start && first < last && Stripped(text[first]))
        {
            first++;
        }

        while (end && last > first && Stripped(text[last - 1]))
        {
            last--;
        }

        return text[first..last];

        bool Stripped(char c) => characters is null ? TemplateValue.IsSpace(c) : characters.Contains(c, StringComparison.Ordinal);
    }

    public static string Join(TemplateRun run, string separator, IEnumerable<string> items)
    {
        StringBuilder joined = new();
        bool follows = false;
        foreach (string item in items)
        {
            run.Step();
            run.Allocate((long)item.Length + separator.Length);
            joined.Append(follows ? separator : "").Append(item);
            follows = true;
        }

        return joined.ToString();
    }

    /// <summary>Python's <c>splitlines</c>.</summary>
    public static IEnumerable<string> Lines(string text)
    {
        int begun = 0;
        for (int i = 0; i < text.Length; i++)
        {
            if (text[i] is '\n' or '\r' or '\v' or '\f' or '\x1c' or '\x1d' or '\x1e' or '\x85' or '\u2028' or '\u2029')
            {
                yield return text[begun..i];
                i += text[i] == '\r' && i + 1 < text.Length && text[i + 1] == '\n' ? 1 : 0;
                begun = i + 1;
            }
        }

        if (begun < text.Length)
        {
            yield return text[begun..];
        }
    }

    private static TemplateFunction? OfMap(TemplateMap map, string name) => name switch
    {
        "items" => (run, _) => Pieces(run, map.Count, map.Select(entry => (object?)new TemplateList([entry.Key, entry.Value], TemplateListKind.Tuple))),
        "keys" => (run, _) => Pieces(run, map.Count, map.Keys),
        "values" => (run, _) => Pieces(run, map.Count, map.Values),
        "get" => (_, arguments) => arguments.Get(0, "key") is { } key && map.TryGetValue(key, out object? value) ? value : arguments.Get(1, "default"),
        "update" or "pop" or "setdefault" or "clear" or "popitem" => throw new TemplateError($"{name} would change a mapping; templates may not"),
        _ => null,
    };

    private static TemplateList Pieces(TemplateRun run, int count, IEnumerable<object?> pieces)
    {
        run.Allocate(count);
        return new([.. pieces]);
    }

    private static string Text(TemplateArguments arguments, int index, string name) => TemplateValue.ToText(arguments.Get(index, name), name);

    private static long Place(string text, int at) => at < 0 ? -1 : text.AsSpan(0, at).ToString().EnumerateRunes().Count();

    private static string Strip(string text, TemplateArguments arguments, bool start, bool end) =>
        Strip(text, arguments.Get(0, "chars") is { } characters ? TemplateValue.ToText(characters, "strip") : null, start, end);

    private static bool AnyOf(TemplateArguments arguments, string name, Func<string, bool> holds) =>
        arguments.Get(0, name) is TemplateList list ? list.Items.Exists(item => holds(TemplateValue.ToText(item, name))) : holds(Text(arguments, 0, name));

    private static TemplateList Split(TemplateRun run, string text, TemplateArguments arguments, bool fromEnd)
    {
        long most = TemplateValue.ToLong(arguments.Get(1, "maxsplit", -1L));
        string? separator = arguments.Get(0, "sep") is { } value ? TemplateValue.ToText(value, "split") : null;
        List<object?> pieces = [];
        if (separator is null)
        {
            if (fromEnd && most >= 0)
            {
                throw new TemplateError("rsplit at white space with a count is not supported");
            }

            SplitAtSpace(text, most, pieces);
        }
        else if (separator.Length == 0)
        {
            throw new TemplateError("split at an empty text");
        }
        else if (fromEnd)
        {
            int end = text.Length;
            for (int at; most != 0 && end > 0 && (at = text.AsSpan(0, end).LastIndexOf(separator)) >= 0; most--)
            {
                pieces.Add(text[(at + separator.Length)..end]);
                end = at;
            }

            pieces.Add(text[..end]);
            pieces.Reverse();
        }
        else
        {
            int begun = 0;
            for (int at; most != 0 && (at = text.IndexOf(separator, begun, StringComparison.Ordinal)) >= 0; most--)
            {
                pieces.Add(text[begun..at]);
                begun = at + separator.Length;
            }

            pieces.Add(text[begun..]);
        }

        run.Step(pieces.Count);
        run.Allocate(pieces.Count);
        return new(pieces);
    }

    private static void SplitAtSpace(string text, long most, List<object?> pieces)
    {
        int at = 0;
        while (true)
        {
            while (at < text.Length && TemplateValue.IsSpace(text[at]))
            {
                at++;
            }

            if (at == text.Length)
            {
                return;
            }

            int begun = at;
            if (most >= 0 && pieces.Count == most)
            {
                pieces.Add(Strip(text[begun..], characters: null, start: false, end: true));
                return;
            }

            while (at < text.Length && !TemplateValue.IsSpace(text[at]))
            {
                at++;
            }

            pieces.Add(text[begun..at]);
        }
    }
}
