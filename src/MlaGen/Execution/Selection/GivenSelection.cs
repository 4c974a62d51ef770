namespace MlaGen.Runtime;

/// <summary>A caller's own selection, of the tokens that each row of a step attends to.</summary>
internal sealed class GivenSelection(MlaBatch batch)
{
    private readonly TokenSelection _selection = new();
    private readonly VisibleKeys _visible = new(batch);

    /// <summary>Takes a selection, once all of it is known to be tokens that the rows see.</summary>
    /// <param name="selected">Which tokens each row attends to <c>[rows, most]</c>, in ascending order, -1 behind the last one.</param>
    /// <exception cref="ArgumentException">A row selects a token that it does not see, or tokens out of order, or some behind a -1.</exception>
    public TokenSelection Take(ReadOnlySpan<int> selected)
    {
        int width = selected.Length / batch.Rows;
        _selection.Begin(batch.Rows, batch.Rows, width);
        _visible.Clear();
        foreach (ref readonly BatchEntry entry in batch.Entries)
        {
            for (int query = 0; query < entry.Queries; query++)
            {
                int row = entry.FirstRow + query;
                ReadOnlySpan<int> tokens = selected.Slice(row * width, width);
                int end = tokens.IndexOf(-1);
                tokens = end < 0 ? tokens : tokens[..end];
                if (end >= 0 && selected.Slice((row * width) + end, width - end).ContainsAnyExcept(-1))
                {
                    throw new ArgumentException(FormattableString.Invariant($"Row {row} has tokens behind a -1, which ends its selection."), nameof(selected));
                }

                KeySource keys = _visible.Of(entry, query);
                int key = 0;
                for (int i = 0; i < tokens.Length; i++)
                {
                    if (i > 0 && tokens[i] <= tokens[i - 1])
                    {
                        throw new ArgumentException(FormattableString.Invariant($"Row {row} selects token {tokens[i]} behind {tokens[i - 1]}: selections are in ascending order."), nameof(selected));
                    }

                    while (key < keys.Count && keys.Token(key) < tokens[i])
                    {
                        key++;
                    }

                    if (key == keys.Count || keys.Token(key) != tokens[i])
                    {
                        throw new ArgumentException(FormattableString.Invariant($"Row {row} selects token {tokens[i]}, which it does not see: it sees {Counted.Of(keys.Count, "token")}."), nameof(selected));
                    }
                }

                tokens.CopyTo(_selection.Place(row, row, tokens.Length));
            }
        }

        return _selection;
    }
}
