using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace MlaGen.Runtime;

/// <summary>
/// Which keys rows attend to that select, in panels of neighbours: of each panel a word a key, whose bit i says whether row i of the panel does. It is made
/// once a layer, for all heads.
/// </summary>
internal sealed class SelectionMasks
{
    /// <summary>Multiplications that take about as long as marking a token.</summary>
    private const long MarkCost = 16;

    private readonly StepContext _step;
    private readonly int _panel;
    private readonly Workspace _words;
    private readonly Action<int, int> _mark;
    private Panel[] _panels = [];
    private int _panelCount;
    private long _length;
    private long _marks;

    public SelectionMasks(StepContext step, int panel)
    {
        _step = step;
        _panel = panel;
        _words = step.Memory.Add();
        _mark = Mark;
    }

    /// <summary>Forgets all rows.</summary>
    public void Clear()
    {
        _panelCount = 0;
        _length = 0;
        _marks = 0;
    }

    /// <summary>Adds rows of a sequence.</summary>
    /// <param name="entry">The rows, each of which selects.</param>
    /// <param name="selection">What they attend to.</param>
    /// <returns>Where the words of their first panel begin; those of the next follow, as many as the last row sees keys.</returns>
    public long Add(in BatchEntry entry, TokenSelection selection)
    {
        long start = _length;
        int keys = Stride(entry);
        for (int first = 0; first < entry.Queries; first += _panel)
        {
            if (_panels.Length == _panelCount)
            {
                Array.Resize(ref _panels, Math.Max(16, 2 * _panelCount));
            }

            _panels[_panelCount++] = new Panel(selection, entry.FirstRow + first, Math.Min(_panel, entry.Queries - first), _length, keys);
            _length += keys;
        }

        _marks += (long)entry.Queries * selection.Tokens(entry.FirstRow).Length;
        return start;
    }

    /// <summary>Words from a panel of an entry to its next.</summary>
    public static int Stride(in BatchEntry entry) => entry.VisibleKeys(entry.Queries - 1);

    /// <summary>Makes all words.</summary>
    public void Run()
    {
        if (_panelCount > 0)
        {
            _words.Reserve(_length);
            _step.Run(_mark, _panelCount, _marks * MarkCost);
        }
    }

    /// <summary>Some words.</summary>
    public Span<uint> Words(long start, int count) => MemoryMarshal.Cast<float, uint>(_words.Span(start, count));

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Mark(int unit, int worker)
    {
        (TokenSelection selection, int firstRow, int rows, long start, int keys) = _panels[unit];
        Span<uint> words = Words(start, keys);
        words.Clear();
        for (int row = 0; row < rows; row++)
        {
            foreach (int token in selection.Tokens(firstRow + row))
            {
                words[token] |= 1u << row;
            }
        }
    }

    /// <summary>Neighbouring rows.</summary>
    private readonly record struct Panel(TokenSelection Selection, int FirstRow, int Rows, long Start, int Keys);
}
