using System.Globalization;
using System.Text;

namespace MlaGen.Models;

/// <summary>What stands behind <c>|</c>.</summary>
internal delegate object? TemplateFilter(TemplateRun run, object? value, TemplateArguments arguments);

internal static class TemplateFilters
{
    private static readonly Dictionary<string, TemplateFilter> _all = new()
    {
        ["abs"] = static (_, value, _) => value is double number ? (object)Math.Abs(number) : Math.Abs(TemplateValue.ToLong(value)),
        ["attr"] = static (_, value, arguments) => TemplateItems.Get(value, Text(arguments, 0, "name")),
        ["batch"] = Batch,
        ["capitalize"] = OfText(static (text, _) => TemplateMethods.Capitalize(text)),
        ["count"] = static (_, value, _) => Length(value),
        ["d"] = Default,
        ["default"] = Default,
        ["dictsort"] = DictSort,
        ["e"] = OfText(static (text, _) => Escape(text)),
        ["escape"] = OfText(static (text, _) => Escape(text)),
        ["first"] = static (run, value, _) => TemplateValue.ToItems(value, run) is { Count: > 0 } items ? items[0] : new Undefined("the first element"),
        ["float"] = Float,
        ["indent"] = Indent,
        ["int"] = Integer,
        ["items"] = static (run, value, _) => value is Undefined ? new TemplateList([]) : TemplateMethods.Find(value as TemplateMap ?? throw new TemplateError($"items of {TemplateValue.TypeOf(value)}"), "items")!(run, TemplateArguments.None),
        ["join"] = Join,
        ["last"] = static (run, value, _) => TemplateValue.ToItems(value, run) is { Count: > 0 } items ? items[^1] : new Undefined("the last element"),
        ["length"] = static (_, value, _) => Length(value),
        ["list"] = static (run, value, _) => List([.. Items(value, run)]),
        ["lower"] = OfText(static (text, _) => text.ToLowerInvariant()),
        ["map"] = Map,
        ["max"] = (run, value, arguments) => Ordered(run, value, arguments).LastOrDefault() ?? new Undefined("the largest element"),
        ["min"] = (run, value, arguments) => Ordered(run, value, arguments).FirstOrDefault() ?? new Undefined("the smallest element"),
        ["reject"] = static (run, value, arguments) => Select(run, value, arguments, byAttribute: false, keeps: false),
        ["rejectattr"] = static (run, value, arguments) => Select(run, value, arguments, byAttribute: true, keeps: false),
        ["replace"] = static (run, value, arguments) => TemplateMethods.Replace(run, TemplateValue.ToString(value, run), Text(arguments, 0, "s", run), Text(arguments, 1, "new", run), arguments.Get(2, "count") ?? -1L),
        ["reverse"] = static (run, value, _) => value is string text ? string.Concat(Items(text, run).AsEnumerable().Reverse()) : List([.. Items(value, run).AsEnumerable().Reverse()], TemplateListKind.Generator),
        ["round"] = static (run, value, arguments) => Round(run, value, arguments),
        ["safe"] = static (_, value, _) => value,
        ["select"] = static (run, value, arguments) => Select(run, value, arguments, byAttribute: false, keeps: true),
        ["selectattr"] = static (run, value, arguments) => Select(run, value, arguments, byAttribute: true, keeps: true),
        ["sort"] = static (run, value, arguments) => List(Sorted(run, value, arguments, 1, TemplateValue.IsTrue(arguments.Get(0, "reverse")))),
        ["string"] = static (run, value, _) => TemplateValue.ToString(value, run),
        ["sum"] = static (run, value, arguments) => Items(value, run).Select(item => Attribute(item, arguments.Get(0, "attribute"))).Aggregate((object?)(arguments.Get(1, "start") ?? 0L), (sum, item) => TemplateArithmetic.Compute("+", sum, item, run)),
        ["title"] = OfText(static (text, _) => TemplateMethods.Title(text)),
        ["tojson"] = ToJson,
        ["trim"] = OfText(static (text, arguments) => TemplateMethods.Strip(text, arguments.Get(0, "chars") is { } characters ? TemplateValue.ToText(characters, "trim") : null, start: true, end: true)),
        ["unique"] = Unique,
        ["upper"] = OfText(static (text, _) => text.ToUpperInvariant()),
        ["wordcount"] = OfText(static (text, _) => (long)text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries).Length),
    };

    public static TemplateFilter Find(string name) => _all.TryGetValue(name, out TemplateFilter? filter) ? filter : throw new TemplateError($"the filter {Unprintable.Escape(name, 100)} is not supported");

    private static TemplateFilter OfText(Func<string, TemplateArguments, object?> apply) => (run, value, arguments) =>
    {
        string text = TemplateValue.ToString(value, run);
        run.Step(1 + (text.Length / 16));
        run.Allocate(text.Length);
        return apply(text, arguments);
    };

    private static string Text(TemplateArguments arguments, int index, string name) => TemplateValue.ToText(arguments.Get(index, name), name);

    private static string Text(TemplateArguments arguments, int index, string name, TemplateRun run) => TemplateValue.ToString(arguments.Get(index, name), run);

    private static TemplateList List(List<object?> items, TemplateListKind kind = TemplateListKind.List) => new(items, kind);

    /// <summary>What a filter goes through, which costs a step and an element each.</summary>
    private static List<object?> Items(object? value, TemplateRun run)
    {
        List<object?> items = TemplateValue.ToItems(value, run);
        run.Step(items.Count);
        run.Allocate(items.Count);
        return items;
    }

    private static object? Default(TemplateRun run, object? value, TemplateArguments arguments) =>
        value is Undefined || (TemplateValue.IsTrue(arguments.Get(1, "boolean")) && !TemplateValue.IsTrue(value)) ? arguments.Get(0, "default_value", "") : value;

    private static long Length(object? value) => value switch
    {
        string text => text.AsSpan().ContainsAnyInRange('\uD800', '\uDFFF') ? text.EnumerateRunes().LongCount() : text.Length,
        TemplateList { Kind: not TemplateListKind.Generator } list => (long)list.Items.Count,
        TemplateMap { IsNamespace: false } map => (long)map.Count,
        Undefined => 0L,
        _ => throw new TemplateError($"{TemplateValue.TypeOf(value)} has no length"),
    };

    /// <summary>A dotted path of members, as <c>map</c>, <c>sort</c> and the like take it.</summary>
    private static object? Attribute(object? item, object? path)
    {
        if (path is null)
        {
            return item;
        }

        if (path is not string names)
        {
            return TemplateItems.Get(item, path);
        }

        return names.Split('.').Aggregate(item, static (value, name) => TemplateItems.Get(value, long.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out long index) ? index : name));
    }

    private static TemplateList Map(TemplateRun run, object? value, TemplateArguments arguments)
    {
        if (arguments.Positional.Count == 0)
        {
            object path = arguments.Get(0, "attribute") ?? throw new TemplateError("map needs a filter or an attribute");
            object? otherwise = arguments.Get(1, "default", new Undefined("the attribute"));
            return List([.. Items(value, run).Select(item => Attribute(item, path) is var found && found is Undefined ? otherwise : found)], TemplateListKind.Generator);
        }

        TemplateFilter filter = Find(Text(arguments, 0, "filter"));
        TemplateArguments rest = new(arguments.Positional[1..], arguments.Named);
        return List([.. Items(value, run).Select(item => Nested(run, () => filter(run, item, rest)))], TemplateListKind.Generator);
    }

    private static TemplateList Select(TemplateRun run, object? value, TemplateArguments arguments, bool byAttribute, bool keeps)
    {
        object? path = byAttribute ? arguments.Get(0, "attribute") ?? throw new TemplateError("no attribute is given") : null;
        List<object?> rest = arguments.Positional[(byAttribute ? 1 : 0)..];
        TemplateTest? test = rest.Count == 0 ? null : TemplateTests.Find(TemplateValue.ToText(rest[0], "the test"));
        TemplateArguments given = new(rest.Count == 0 ? rest : rest[1..], arguments.Named);
        return List([.. Items(value, run).Where(item => (Attribute(item, path) is var tested && test is null ? TemplateValue.IsTrue(tested) : test!(run, tested, given)) == keeps)], TemplateListKind.Generator);
    }

    /// <summary>A filter within a filter, which may be the same one.</summary>
    private static object? Nested(TemplateRun run, Func<object?> apply)
    {
        run.Enter();
        object? value = apply();
        run.Leave();
        return value;
    }

    private static List<object?> Ordered(TemplateRun run, object? value, TemplateArguments arguments) => Sorted(run, value, new([arguments.Get(0, "case_sensitive"), arguments.Get(1, "attribute")], []), 0, descending: false);

    /// <summary>In order, equal ones as they were; texts without regard to case unless the argument at the index says otherwise.</summary>
    private static List<object?> Sorted(TemplateRun run, object? value, TemplateArguments arguments, int index, bool descending)
    {
        bool isSensitive = TemplateValue.IsTrue(arguments.Get(index, "case_sensitive"));
        object? path = arguments.Get(index + 1, "attribute");
        Comparer<object?> comparer = Comparer<object?>.Create((one, other) => TemplateValue.Compare(one, other, run));
        List<object?> items = Items(value, run);
        try
        {
            return [.. descending ? items.OrderByDescending(Key, comparer) : items.OrderBy(Key, comparer)];
        }
        catch (InvalidOperationException error) when (error.InnerException is TemplateError)
        {
            throw error.InnerException;
        }

        object? Key(object? item) => Attribute(item, path) is var key && key is string text && !isSensitive ? text.ToLowerInvariant() : key;
    }

    private static TemplateList DictSort(TemplateRun run, object? value, TemplateArguments arguments)
    {
        TemplateMap map = value as TemplateMap ?? throw new TemplateError($"dictsort of {TemplateValue.TypeOf(value)}");
        TemplateList entries = (TemplateList)TemplateMethods.Find(map, "items")!(run, TemplateArguments.None)!;
        long part = arguments.Get(1, "by", "key") is "value" ? 1 : 0;
        return List(Sorted(run, entries, new([arguments.Get(0, "case_sensitive"), part], []), 0, TemplateValue.IsTrue(arguments.Get(2, "reverse"))));
    }

    private static TemplateList Unique(TemplateRun run, object? value, TemplateArguments arguments)
    {
        bool isSensitive = TemplateValue.IsTrue(arguments.Get(0, "case_sensitive"));
        List<object?> seen = [], kept = [];
        foreach (object? item in Items(value, run))
        {
            object? key = Attribute(item, arguments.Get(1, "attribute"));
            key = key is string text && !isSensitive ? text.ToLowerInvariant() : key;
            if (!seen.Exists(other => TemplateValue.AreEqual(other, key, run)))
            {
                seen.Add(key);
                kept.Add(item);
            }
        }

        return List(kept, TemplateListKind.Generator);
    }

    private static TemplateList Batch(TemplateRun run, object? value, TemplateArguments arguments)
    {
        long size = TemplateValue.ToLong(arguments.Get(0, "linecount"));
        if (size is < 1 or > int.MaxValue || arguments.Get(1, "fill_with") is not null)
        {
            throw new TemplateError("batch takes a positive size, and no filling");
        }

        return List([.. Items(value, run).Chunk((int)size).Select(items => (object?)List([.. items]))], TemplateListKind.Generator);
    }

    private static string Join(TemplateRun run, object? value, TemplateArguments arguments) =>
        TemplateMethods.Join(run, TemplateValue.ToString(arguments.Get(0, "d", ""), run), Items(value, run).Select(item => TemplateValue.ToString(Attribute(item, arguments.Get(1, "attribute")), run)));

    private static string Indent(TemplateRun run, object? value, TemplateArguments arguments)
    {
        object? width = arguments.Get(0, "width", 4L);
        string margin = width as string ?? (string)TemplateArithmetic.Compute("*", " ", width, run)!;
        bool indentsFirst = TemplateValue.IsTrue(arguments.Get(1, "first")), indentsBlank = TemplateValue.IsTrue(arguments.Get(2, "blank"));
        string text = TemplateValue.ToString(value, run);
        // As in Jinja, a break is added first, so that the last one is kept.
        string[] lines = [.. TemplateMethods.Lines(text + "\n")];
        run.Step(lines.Length);
        run.Allocate(text.Length + ((long)lines.Length * margin.Length));
        IEnumerable<string> rest = lines.Skip(1).Select(line => line.Length > 0 || indentsBlank ? margin + line : line);
        return (indentsFirst ? margin : "") + string.Join('\n', lines.Take(1).Concat(rest));
    }

    private static object? Integer(TemplateRun run, object? value, TemplateArguments arguments)
    {
        object? otherwise = arguments.Get(0, "default", 0L);
        return value switch
        {
            bool or long => TemplateValue.ToLong(value),
            double number when Math.Abs(number) < long.MaxValue => (long)number,
            string text when long.TryParse(text.Trim(), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long integer) => integer,
            string text when double.TryParse(text.Trim(), NumberStyles.Float, CultureInfo.InvariantCulture, out double number) && Math.Abs(number) < long.MaxValue => (long)number,
            _ => otherwise,
        };
    }

    private static object? Float(TemplateRun run, object? value, TemplateArguments arguments) => value switch
    {
        bool or long or double => TemplateValue.ToDouble(value),
        string text when double.TryParse(text.Trim(), NumberStyles.Float, CultureInfo.InvariantCulture, out double number) => number,
        _ => arguments.Get(0, "default", 0.0),
    };

    private static double Round(TemplateRun run, object? value, TemplateArguments arguments)
    {
        long digits = TemplateValue.ToLong(arguments.Get(0, "precision", 0L));
        double number = TemplateValue.ToDouble(value), scale = Math.Pow(10, digits);
        return arguments.Get(1, "method", "common") switch
        {
            "common" => digits is >= 0 and <= 15 ? Math.Round(number, (int)digits) : Math.Round(number * scale) / scale,
            "floor" => Math.Floor(number * scale) / scale,
            "ceil" => Math.Ceiling(number * scale) / scale,
            var method => throw new TemplateError($"round by {TemplateValue.ToString(method, run)}"),
        };
    }

    private static string ToJson(TemplateRun run, object? value, TemplateArguments arguments)
    {
        // As transformers' own: ensure_ascii, indent, separators, sort_keys.
        if (TemplateValue.IsTrue(arguments.Get(0, "ensure_ascii")))
        {
            throw new TemplateError("tojson with ensure_ascii is not supported");
        }

        int? indent = arguments.Get(1, "indent") is { } width ? (int)Math.Clamp(TemplateValue.ToLong(width), 0, 100) : null;
        (string item, string key) = (indent is null ? ", " : ",", ": ");
        if (arguments.Get(2, "separators") is { } separators)
        {
            List<object?> pair = TemplateValue.ToItems(separators, run);
            (item, key) = pair is [string first, string second] ? (first, second) : throw new TemplateError("the separators of tojson are not two texts");
        }

        return TemplateValue.ToJson(value, indent, item, key, TemplateValue.IsTrue(arguments.Get(3, "sort_keys")), run);
    }

    private static string Escape(string text) => new StringBuilder(text)
        .Replace("&", "&amp;").Replace("<", "&lt;").Replace(">", "&gt;").Replace("'", "&#39;").Replace("\"", "&#34;").ToString();
}
