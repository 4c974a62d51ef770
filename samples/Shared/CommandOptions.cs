using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using System.Numerics;

namespace Samples;

/// <summary>Options whose values have bounds, read alike in every culture.</summary>
internal static class CommandOptions
{
    /// <summary>A number between two bounds.</summary>
    public static Option<T> Number<T>(string name, string description, T least, T most, T preset)
        where T : INumber<T> => Number(name, description, least, most, _ => preset);

    /// <summary>A number between two bounds; without a preset it is given, or none.</summary>
    public static Option<T> Number<T>(string name, string description, T least, T most, Func<ArgumentResult, T>? preset, string helpName = "N")
        where T : INumber<T> => new(name)
        {
            Description = description,
            HelpName = helpName,
            DefaultValueFactory = preset,
            CustomParser = argument =>
            {
                string text = argument.Tokens[0].Value;
                if (T.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out T? value) && value >= least && value <= most)
                {
                    return value;
                }

                argument.AddError(string.Create(CultureInfo.InvariantCulture, $"{name} takes a number from {least} to {most}, not '{text}'"));
                return least;
            },
        };

    /// <summary>The name of one of a few values, in any case; the description ends with all of them.</summary>
    public static Option<T> Choice<T>(string name, string description, T preset, string helpName = "NAME")
        where T : struct, Enum => new(name)
        {
            Description = $"{description}: {string.Join(", ", Enum.GetNames<T>())}.",
            HelpName = helpName,
            DefaultValueFactory = _ => preset,
            CustomParser = argument => Enum.TryParse(OneOf(name, argument, Enum.GetNames<T>()), out T value) ? value : preset,
        };

    /// <summary>One of a few words, in any case.</summary>
    public static Option<string> Word(string name, string description, string preset, params string[] words) => new(name)
    {
        Description = description,
        HelpName = "NAME",
        DefaultValueFactory = _ => preset,
        CustomParser = argument => OneOf(name, argument, words) ?? preset,
    };

    private static string? OneOf(string name, ArgumentResult argument, string[] words)
    {
        string text = argument.Tokens[0].Value;
        string? found = Array.Find(words, word => word.Equals(text, StringComparison.OrdinalIgnoreCase));
        if (found is null)
        {
            argument.AddError($"{name} takes one of {string.Join(", ", words)}, not '{text}'");
        }

        return found;
    }
}
