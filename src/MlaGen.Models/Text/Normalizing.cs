using System.Text;
using System.Text.Json;

namespace MlaGen.Models;

/// <summary>The normalizers of a <c>tokenizer.json</c>, as functions of a text.</summary>
internal static class Normalizing
{
    /// <summary>The chain of a file's <c>normalizer</c>; null where it changes nothing.</summary>
    /// <exception cref="FormatException">One of them is not supported.</exception>
    public static Func<string, string>? Create(JsonElement? normalizer)
    {
        Func<string, string>[] steps = [.. TextFiles.Steps(normalizer, "normalizers").Select(Step)];
        return steps.Length == 0 ? null : text => steps.Aggregate(text, static (changed, step) => step(changed));
    }

    private static Func<string, string> Step(JsonElement step)
    {
        string type = step.Text("type");
        switch (type)
        {
            case "NFC":
                return Unicode(NormalizationForm.FormC);
            case "NFD":
                return Unicode(NormalizationForm.FormD);
            case "NFKC":
                return Unicode(NormalizationForm.FormKC);
            case "NFKD":
                return Unicode(NormalizationForm.FormKD);
            case "Lowercase":
                // The one letter whose small form is two characters.
                return static text => text.Replace("İ", "i\u0307", StringComparison.Ordinal).ToLowerInvariant();
            case "Prepend":
                string prefix = step.Text("prepend");
                return text => text.Length == 0 ? text : prefix + text;
            case "Replace":
                return Replacement(step);
            case "Strip":
                (bool left, bool right) = (step.Flag("strip_left", otherwise: true), step.Flag("strip_right", otherwise: true));
                return text => left && right ? text.Trim() : left ? text.TrimStart() : right ? text.TrimEnd() : text;
            default:
                throw new FormatException($"the normalizer {type} is not supported");
        }
    }

    /// <summary><c>Replace</c>, which is a decoder, too.</summary>
    public static Func<string, string> Replacement(JsonElement step)
    {
        string content = step.Text("content");
        JsonElement pattern = step.GetProperty("pattern");
        if (pattern.Optional("String") is { } literal)
        {
            string replaced = literal.GetString()!;
            return replaced.Length == 0 ? throw new FormatException("Replace replaces an empty text") : text => text.Replace(replaced, content, StringComparison.Ordinal);
        }

        SplitPattern regex = new(pattern.Text("Regex"));
        return text =>
        {
            StringBuilder replaced = new();
            int written = 0;
            foreach (Range match in regex.Matches(text, 0, text.Length))
            {
                replaced.Append(text, written, match.Start.Value - written).Append(content);
                written = match.End.Value;
            }

            return replaced.Append(text, written, text.Length - written).ToString();
        };
    }

    private static Func<string, string> Unicode(NormalizationForm form)
    {
        // With InvariantGlobalization .NET returns texts as they are.
        bool works = "e\u0301".Normalize(NormalizationForm.FormC).Length == 1;
        return works ? text => text.Normalize(form) : throw new FormatException($"the normalizer {form} needs an application without InvariantGlobalization");
    }
}
