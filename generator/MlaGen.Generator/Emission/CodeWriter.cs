using System.Globalization;
using System.Text;

namespace MlaGen.Generator.Emission;

/// <summary>Writes indented C#: the one way in which emitted text is made. Line ends are always a single line feed.</summary>
internal sealed class CodeWriter
{
    private readonly StringBuilder _text = new();
    private int _indent;

    /// <summary>Writes a line, or an empty one.</summary>
    public void Line(string line = "")
    {
        if (line.Length > 0)
        {
            _text.Append(' ', 4 * _indent).Append(line);
        }

        _text.Append('\n');
    }

    /// <summary>Writes several lines of text, each at the current indentation.</summary>
    public void Lines(string lines)
    {
        foreach (string line in lines.Replace("\r", string.Empty).Split('\n'))
        {
            Line(line);
        }
    }

    /// <summary>Writes a documentation comment of one element.</summary>
    public void Summary(string text)
    {
        Line("/// <summary>");
        foreach (string line in text.Replace("\r", string.Empty).Split('\n'))
        {
            Line("/// " + line);
        }

        Line("/// </summary>");
    }

    /// <summary>Writes a header line, if there is one, and an opening brace; disposing closes it.</summary>
    public Block Braces(string? header = null)
    {
        if (header is not null)
        {
            Line(header);
        }

        Line("{");
        _indent++;
        return new Block(this);
    }

    /// <summary>
    /// Opens a method of a kernel. The JIT optimises it at its first call: it would otherwise run unoptimised, fifty times slower, until it has
    /// been called often enough.
    /// </summary>
    public Block KernelMethod(string signature)
    {
        Line("[MethodImpl(MethodImplOptions.AggressiveOptimization)]");
        return Braces($"private static void {signature}");
    }

    public override string ToString() => _text.ToString();

    /// <summary>A double as C# reads it back: the shortest text that is exact, in invariant culture.</summary>
    public static string Literal(double value)
    {
        string text = value.ToString("R", CultureInfo.InvariantCulture);
        return text.IndexOfAny(['.', 'E', 'e']) < 0 ? text + ".0" : text;
    }

    /// <summary>A float as C# reads it back.</summary>
    public static string Literal(float value) => value.ToString("R", CultureInfo.InvariantCulture) + "f";

    /// <summary>An integer with separators, for prose.</summary>
    public static string Count(long value) => value.ToString("N0", CultureInfo.InvariantCulture);

    private void Close()
    {
        _indent--;
        Line("}");
    }

    internal readonly struct Block(CodeWriter writer) : IDisposable
    {
        public void Dispose() => writer.Close();
    }
}
