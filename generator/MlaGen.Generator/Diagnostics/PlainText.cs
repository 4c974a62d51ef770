using System.Globalization;
using System.Linq;

namespace MlaGen.Generator.Diagnostics;

/// <summary>Text of a file in a message. Compilers print messages to terminals, and whoever wrote the file may not move their cursors.</summary>
internal static class PlainText
{
    /// <summary>The text, with escapes for what is not seen but does something: control characters, and changes of direction.</summary>
    public static string Of(string text) => text.Any(IsUnprintable)
        ? string.Concat(text.Select(static c => IsUnprintable(c) ? "\\u" + ((int)c).ToString("x4", CultureInfo.InvariantCulture) : c.ToString()))
        : text;

    /// <summary>Likewise, and of a long text the beginning.</summary>
    public static string Short(string text, int most) => text.Length <= most ? Of(text) : Of(text.Substring(0, most)) + "…";

    private static bool IsUnprintable(char c) => CharUnicodeInfo.GetUnicodeCategory(c) is
        UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator;
}
