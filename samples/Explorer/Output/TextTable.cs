using System.Text;

namespace Explorer.Output;

/// <summary>
/// Measurements in lines of a given width, and no number broken over two of them. As one table if it fits; else what all of them have in common goes
/// above it; else the columns are spread over several tables, each with what tells the rows apart; and where not even that fits, in pairs of name and value.
/// </summary>
internal sealed class TextTable
{
    private const int Gap = 2;

    private readonly Column[] _columns;
    private readonly string[][] _cells;
    private readonly int[] _widths;

    /// <param name="columns">The columns; those that say nothing of any measurement are left out.</param>
    /// <param name="measurements">The rows.</param>
    public TextTable(ReadOnlySpan<Column> columns, IReadOnlyList<Measurement> measurements)
    {
        _columns = [.. columns.ToArray().Where(column => measurements.Any(measurement => column.Format(measurement).Length > 0))];
        _cells = [.. measurements.Select(measurement => _columns.Select(column => column.Format(measurement)).ToArray())];
        _widths = [.. _columns.Select((column, i) => _cells.Select(row => row[i].Length).Append(column.Header.Length).Max())];
    }

    /// <summary>The lines, of at most so many characters; more where a single name and value takes more.</summary>
    public IEnumerable<string> Lines(int width)
    {
        int[] all = [.. Enumerable.Range(0, _columns.Length)];
        if (WidthOf(all) <= width)
        {
            return Table(all);
        }

        int[] common = [.. all.Where(column => _columns[column].IsSetting && _cells.All(row => row[column] == _cells[0][column]))];
        int[] keys = [.. all.Except(common).Where(column => _columns[column].IsSetting)];
        int[] values = [.. all.Where(column => !_columns[column].IsSetting)];
        return values.Any(value => WidthOf([.. keys, value]) > width)
            ? Pairs()
            : [.. Caption(common, width), .. Spread(keys, values, width)];
    }

    /// <summary>Text in lines of a width. A number stays with the word that follows it, which is its unit more often than not.</summary>
    public static IEnumerable<string> Wrap(string text, int width)
    {
        StringBuilder line = new();
        foreach (string piece in Pieces(text))
        {
            if (line.Length > 0 && line.Length + 1 + piece.Length > width)
            {
                yield return line.ToString();
                line.Clear();
            }

            line.Append(line.Length > 0 ? " " : "").Append(piece);
        }

        yield return line.ToString();
    }

    private static IEnumerable<string> Pieces(string text)
    {
        string piece = "";
        foreach (string word in text.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            piece += word;
            if (!char.IsAsciiDigit(word[^1]))
            {
                yield return piece;
                piece = "";
            }
            else
            {
                piece += " ";
            }
        }

        if (piece.Length > 0)
        {
            yield return piece.TrimEnd();
        }
    }

    /// <summary>What is the same for all: its name and value each, unbroken.</summary>
    private IEnumerable<string> Caption(int[] columns, int width)
    {
        string line = "";
        foreach (int column in columns)
        {
            string pair = $"{_columns[column].Header} {_cells[0][column]}";

            // The comma that may follow counts.
            if (line.Length > 0 && line.Length + 3 + pair.Length > width)
            {
                yield return line + ",";
                line = "";
            }

            line += line.Length > 0 ? $", {pair}" : pair;
        }

        if (line.Length > 0)
        {
            yield return line;
            yield return "";
        }
    }

    private IEnumerable<string> Spread(int[] keys, int[] values, int width)
    {
        for (int next = 0; next < values.Length;)
        {
            List<int> here = [.. keys, values[next++]];
            while (next < values.Length && WidthOf([.. here, values[next]]) <= width)
            {
                here.Add(values[next++]);
            }

            foreach (string line in Table([.. here]))
            {
                yield return line;
            }

            if (next < values.Length)
            {
                yield return "";
            }
        }
    }

    private IEnumerable<string> Table(int[] columns)
    {
        yield return Line(columns, column => _columns[column].Header);
        yield return new string('─', WidthOf(columns));
        foreach (string[] row in _cells)
        {
            yield return Line(columns, column => row[column]);
        }
    }

    private IEnumerable<string> Pairs()
    {
        int names = _columns.Max(static column => column.Header.Length);
        foreach (string[] row in _cells)
        {
            for (int i = 0; i < row.Length; i++)
            {
                if (row[i].Length > 0)
                {
                    yield return _columns[i].Header.PadRight(names + Gap) + row[i];
                }
            }

            if (row != _cells[^1])
            {
                yield return "";
            }
        }
    }

    private string Line(int[] columns, Func<int, string> cell) =>
        string.Join(new string(' ', Gap), columns.Select(column => _columns[column].IsText ? cell(column).PadRight(_widths[column]) : cell(column).PadLeft(_widths[column]))).TrimEnd();

    private int WidthOf(int[] columns) => columns.Sum(column => _widths[column]) + (Gap * (columns.Length - 1));
}
