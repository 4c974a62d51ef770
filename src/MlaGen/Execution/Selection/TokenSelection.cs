namespace MlaGen.Runtime;

/// <summary>
/// Which tokens each row of a step attends to, as the last indexer of the step has selected them. Layers without an indexer of their own use it as it
/// is; it ends with the step.
/// </summary>
internal sealed class TokenSelection
{
    private const int All = -1;
    private const int NoStep = -1;

    private int _step = NoStep;
    private int _width;
    private int[] _counts = [];
    private int[] _places = [];
    private int[] _tokens = [];

    /// <summary>Forgets what was selected and makes room: until <see cref="Complete"/> there is no selection.</summary>
    /// <param name="rows">Rows of the step.</param>
    /// <param name="selecting">Rows of which tokens are selected: those numbered first by <see cref="Place"/>.</param>
    /// <param name="width">Tokens that a row selects at most.</param>
    public void Begin(int rows, int selecting, int width)
    {
        _step = NoStep;
        _width = width;
        if (_counts.Length < rows)
        {
            _counts = new int[Math.Max(rows, 2 * _counts.Length)];
            _places = new int[_counts.Length];
        }

        long tokens = (long)selecting * width;
        if (_tokens.Length < tokens)
        {
            if (tokens > Array.MaxLength)
            {
                throw new InsufficientMemoryException(FormattableString.Invariant(
                    $"The step's rows select {Counted.Of(tokens, "token")} together; {Array.MaxLength} can be kept. It needs fewer rows."));
            }

            // Sources that were made from it keep the old one.
            _tokens = new int[tokens];
        }

        _counts.AsSpan(0, rows).Fill(All);
    }

    /// <summary>Where the tokens of a row go.</summary>
    /// <param name="row">Row of the batch.</param>
    /// <param name="place">How many rows have come before it.</param>
    /// <param name="count">How many tokens it selects.</param>
    public Span<int> Place(int row, int place, int count)
    {
        _places[row] = place * _width;
        _counts[row] = count;
        return _tokens.AsSpan(_places[row], count);
    }

    /// <summary>Makes it the selection of a step.</summary>
    public void Complete(int step) => _step = step;

    /// <summary>Whether it is the selection of a step.</summary>
    public bool IsOf(int step) => _step == step;

    /// <summary>Whether a row attends to every token that it sees.</summary>
    public bool IsAll(int row) => _counts[row] == All;

    /// <summary>The selected tokens of a row that does not attend to all, in ascending order.</summary>
    public ReadOnlySpan<int> Tokens(int row) => _tokens.AsSpan(_places[row], _counts[row]);

    /// <summary>The same as keys.</summary>
    public KeySource Keys(int row, LatentSequence sequence) => KeySource.List(sequence, _tokens, _places[row], _counts[row]);
}
