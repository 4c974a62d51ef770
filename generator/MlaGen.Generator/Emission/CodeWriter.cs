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
    /// been called often enough. Its arithmetic is unchecked whatever the project is: no offset can overflow, and a check in a loop costs as much as a product.
    /// </summary>
    public Block KernelMethod(string signature)
    {
        Line("[MethodImplAttribute(MethodImplOptions.AggressiveOptimization)]");
        _ = Braces($"private static void {signature}");
        _ = Braces("unchecked");
        return new Block(this, 2);
    }

    public override string ToString() => _text.ToString();

    /// <summary>A double as C# reads it back: the shortest text that is exact, in invariant culture.</summary>
    public static string Literal(double value)
    {
        ThrowIfNotFinite(value);
        string text = value.ToString("R", CultureInfo.InvariantCulture);
        return text.IndexOfAny(['.', 'E', 'e']) < 0 ? text + ".0" : text;
    }

    /// <summary>A float as C# reads it back.</summary>
    public static string Literal(float value)
    {
        ThrowIfNotFinite(value);
        return value.ToString("R", CultureInfo.InvariantCulture) + "f";
    }

    /// <summary>An integer with separators, for prose.</summary>
    public static string Count(long value) => value.ToString("N0", CultureInfo.InvariantCulture);

    // No number of a layer may be one: the validator refuses what leads there.
    private static void ThrowIfNotFinite(double value)
    {
        if (double.IsNaN(value) || double.IsInfinity(value))
        {
            throw new InvalidOperationException($"{value.ToString(CultureInfo.InvariantCulture)} has no literal in C#: the validator should have refused it.");
        }
    }

    private void Close()
    {
        _indent--;
        Line("}");
    }

    internal readonly struct Block(CodeWriter writer, int depth = 1) : IDisposable
    {
        public void Dispose()
        {
            for (int i = 0; i < depth; i++)
            {
                writer.Close();
            }
        }
    }
}
