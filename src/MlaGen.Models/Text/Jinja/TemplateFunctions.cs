using System.Globalization;
using System.Text;

namespace MlaGen.Models;

/// <summary>The functions that every template has.</summary>
internal static class TemplateFunctions
{
    private const long MostInRange = 100_000;

    public static Dictionary<string, TemplateFunction> Globals { get; } = new()
    {
        ["range"] = Range,
        ["namespace"] = static (run, arguments) => Map(run, arguments, isNamespace: true),
        ["dict"] = static (run, arguments) => Map(run, arguments, isNamespace: false),
        ["raise_exception"] = static (run, arguments) => throw new TemplateError($"the template says: {Unprintable.Escape(TemplateValue.ToString(arguments.Get(0, "message"), run), 1000)}"),
        ["strftime_now"] = static (run, arguments) => Time(run.Time.GetLocalNow(), TemplateValue.ToText(arguments.Get(0, "format"), "strftime_now")),
    };

    private static TemplateList Range(TemplateRun run, TemplateArguments arguments)
    {
        long[] bounds = [.. arguments.Positional.Select(TemplateValue.ToLong)];
        (long start, long stop, long step) = bounds switch
        {
            [long end] => (0, end, 1),
            [long begin, long end] => (begin, end, 1),
            [long begin, long end, long by] when by != 0 => (begin, end, by),
            _ => throw new TemplateError("range takes one to three integers, the third not zero"),
        };
        Int128 count = step > 0 ? ((Int128)stop - start + step - 1) / step : ((Int128)start - stop - step - 1) / -(Int128)step;
        if (count > MostInRange)
        {
            throw new TemplateError($"range of more than {MostInRange} integers");
        }

        int length = (int)Int128.Max(count, 0);
        run.Step(length / 4);
        run.Allocate(length);
        return new([.. Enumerable.Range(0, length).Select(i => (object?)(start + (i * step)))]);
    }

    private static TemplateMap Map(TemplateRun run, TemplateArguments arguments, bool isNamespace)
    {
        TemplateMap map = new() { IsNamespace = isNamespace };
        foreach (object? argument in arguments.Positional)
        {
            foreach ((object key, object? value) in argument as TemplateMap ?? throw new TemplateError($"expected a mapping, found {TemplateValue.TypeOf(argument)}"))
            {
                map[key] = value;
            }
        }

        foreach ((string name, object? value) in arguments.Named)
        {
            map[name] = value;
        }

        run.Allocate(map.Count);
        return map;
    }

    /// <summary>Python's <c>strftime</c>, in English.</summary>
    private static string Time(DateTimeOffset time, string format)
    {
        StringBuilder text = new();
        for (int i = 0; i < format.Length; i++)
        {
            if (format[i] != '%' || i + 1 == format.Length)
            {
                text.Append(format[i]);
                continue;
            }

            bool unpadded = format[++i] == '-' && i + 1 < format.Length;
            i += unpadded ? 1 : 0;
            string part = format[i] switch
            {
                'Y' => "yyyy",
                'y' => "yy",
                'm' => "MM",
                'B' => "MMMM",
                'b' => "MMM",
                'd' => "dd",
                'A' => "dddd",
                'a' => "ddd",
                'H' => "HH",
                'I' => "hh",
                'M' => "mm",
                'S' => "ss",
                'p' => "tt",
                'F' => "yyyy-MM-dd",
                'T' => "HH:mm:ss",
                '%' => "'%'",
                var other => throw new TemplateError($"strftime_now with %{other} is not supported"),
            };
            string written = time.ToString(part, CultureInfo.InvariantCulture);
            text.Append(unpadded && written.StartsWith('0') ? written[1..] : written);
        }

        return text.ToString();
    }
}
