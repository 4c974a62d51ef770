using System.Globalization;
using System.Linq;

namespace MlaGen;

/// <summary>
/// Characters that do something to a terminal or to the text around them, instead of being seen: whoever wrote a file may not move the cursors of
/// those who read messages about it. Generator and build task compile this file too.
/// </summary>
internal static class Unprintable
{
    /// <summary>Whether a character is one of them.</summary>
    public static bool Is(char c) => CharUnicodeInfo.GetUnicodeCategory(c) is
        UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator;

    /// <summary>The text, with <c>\u001b</c> and the like in their place.</summary>
    public static string Escape(string text) => text.Any(Is)
        ? string.Concat(text.Select(static c => Is(c) ? "\\u" + ((int)c).ToString("x4", CultureInfo.InvariantCulture) : c.ToString()))
        : text;

    /// <summary>Likewise, and of a text that is longer than <paramref name="most"/> the beginning.</summary>
    public static string Escape(string text, int most) => text.Length <= most ? Escape(text) : Escape(text.Substring(0, most)) + "…";
}
