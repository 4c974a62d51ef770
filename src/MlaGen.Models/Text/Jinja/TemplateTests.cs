namespace MlaGen.Models;

/// <summary>What stands behind <c>is</c>.</summary>
internal delegate bool TemplateTest(TemplateRun run, object? value, TemplateArguments arguments);

internal static class TemplateTests
{
    private static readonly Dictionary<string, TemplateTest> _all = new()
    {
        ["defined"] = static (_, value, _) => value is not Undefined,
        ["undefined"] = static (_, value, _) => value is Undefined,
        ["none"] = static (_, value, _) => value is null,
        ["boolean"] = static (_, value, _) => value is bool,
        ["true"] = static (_, value, _) => value is true,
        ["false"] = static (_, value, _) => value is false,
        ["integer"] = static (_, value, _) => value is long,
        ["float"] = static (_, value, _) => value is double,
        ["number"] = static (_, value, _) => TemplateValue.IsNumber(value),
        ["string"] = static (_, value, _) => value is string,
        ["mapping"] = static (_, value, _) => value is TemplateMap { IsNamespace: false },
        ["iterable"] = static (_, value, _) => value is string or TemplateList or TemplateMap { IsNamespace: false } or Undefined,
        ["sequence"] = static (_, value, _) => value is string or TemplateList { Kind: not TemplateListKind.Generator } or TemplateMap { IsNamespace: false } or Undefined,
        ["callable"] = static (_, value, _) => value is TemplateFunction,
        ["sameas"] = static (_, value, arguments) => arguments.Get(0, "other") is var other && (value is null or bool or long ? Equals(value, other) : ReferenceEquals(value, other)),
        ["eq"] = Compared("=="),
        ["equalto"] = Compared("=="),
        ["=="] = Compared("=="),
        ["ne"] = Compared("!="),
        ["!="] = Compared("!="),
        ["lt"] = Compared("<"),
        ["lessthan"] = Compared("<"),
        ["<"] = Compared("<"),
        ["le"] = Compared("<="),
        ["<="] = Compared("<="),
        ["gt"] = Compared(">"),
        ["greaterthan"] = Compared(">"),
        [">"] = Compared(">"),
        ["ge"] = Compared(">="),
        [">="] = Compared(">="),
        ["in"] = Compared("in"),
        ["odd"] = static (_, value, _) => TemplateValue.ToLong(value) % 2 != 0,
        ["even"] = static (_, value, _) => TemplateValue.ToLong(value) % 2 == 0,
        ["divisibleby"] = static (run, value, arguments) => TemplateArithmetic.Compute("%", value, arguments.Get(0, "num"), run) is 0L or 0.0,
        ["lower"] = static (run, value, _) => IsCased(TemplateValue.ToString(value, run), char.IsUpper, char.IsLower),
        ["upper"] = static (run, value, _) => IsCased(TemplateValue.ToString(value, run), char.IsLower, char.IsUpper),
    };

    public static TemplateTest Find(string name) => _all.TryGetValue(name, out TemplateTest? test) ? test : throw new TemplateError($"the test {Unprintable.Escape(name, 100)} is not supported");

    /// <summary>Python's <c>islower</c> and <c>isupper</c>.</summary>
    public static bool IsCased(string text, Func<char, bool> forbidden, Func<char, bool> wanted) => text.Any(wanted) && !text.Any(forbidden);

    private static TemplateTest Compared(string @operator) => (run, value, arguments) => TemplateArithmetic.Holds(@operator, value, arguments.Get(0, "other"), run);
}
