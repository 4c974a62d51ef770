namespace Samples;

/// <summary>
/// Text that comes from a file or a command line, as a terminal may see it: whoever wrote a tokenizer or named a tensor must not move its cursor,
/// change its title or turn the direction of what stands there.
/// </summary>
internal static class PlainText
{
    /// <summary>The character itself, or what stands in its place: a picture of a control character of ASCII, U+FFFD for others.</summary>
    public static char Visible(char character) => character switch
    {
        < ' ' => (char)('\u2400' + character),
        '\u007f' => '\u2421',

        // The second set of control characters, line separators, and what changes the direction of writing.
        (>= '\u0080' and <= '\u009f') or '\u2028' or '\u2029' => '\ufffd',
        '\u061c' or '\u200e' or '\u200f' or (>= '\u202a' and <= '\u202e') or (>= '\u2066' and <= '\u2069') => '\ufffd',
        _ => character,
    };

    /// <summary>A text as one line.</summary>
    public static string Line(string text) => string.Concat(text.ReplaceLineEndings(" ").Select(Visible));

    /// <summary>A text as one line, of which the middle is left out if it is long.</summary>
    public static string Excerpt(string text, int longest)
    {
        string line = Line(text);
        if (line.Length <= longest)
        {
            return line;
        }

        int half = (longest - 3) / 2;
        (int head, int tail) = (half, line.Length - half);
        return $"{line[..(char.IsHighSurrogate(line[head - 1]) ? head - 1 : head)]} … {line[(char.IsLowSurrogate(line[tail]) ? tail + 1 : tail)..]}";
    }
}
