using System.Numerics;
using System.Runtime.CompilerServices;

namespace MlaGen.Runtime;

/// <summary>
/// In which form rows that select are attended to, where either may be. Absorbed, a row costs what it selects; decompressed, what it and its neighbours
/// select together, at less than a third for each key, and the decompression of all of it. So it depends on how much alike neighbours select.
/// </summary>
internal sealed class SelectedForms(MlaShape shape)
{
    /// <summary>Rows that are decompressed or not together: neighbours in a panel of the widest tier.</summary>
    private const int GroupRows = 32;

    private readonly long _absorbedKey = (2L * shape.KvLoraRank) + shape.QkRopeHeadDim;

    /// <summary>A row's query and output from and to the latent are products of single rows: they run at a third of the speed.</summary>
    private readonly long _absorbedRow = 3L * shape.KvLoraRank * (shape.QkNopeHeadDim + shape.VHeadDim);

    private readonly long _decompressedKey = shape.QkHeadDim + shape.VHeadDim;
    private readonly long _decompression = (long)shape.KvLoraRank * (shape.QkNopeHeadDim + shape.VHeadDim);
    private ulong[] _seen = [];

    /// <summary>How many of an entry's rows, the first ones, are cheaper decompressed than absorbed.</summary>
    /// <param name="entry">An entry whose rows all select; no tree.</param>
    /// <param name="selection">What they attend to.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public int Decompressed(in BatchEntry entry, TokenSelection selection)
    {
        if (entry.Queries == 0)
        {
            return 0;
        }

        // What is won is at most all of the absorbed form's cost: few rows never pay for their context.
        long most = (long)entry.Queries * ((selection.Tokens(entry.FirstRow).Length * _absorbedKey) + _absorbedRow);
        if (most <= entry.VisibleKeys(0) * _decompression)
        {
            return 0;
        }

        int words = (entry.VisibleKeys(entry.Queries - 1) + 63) / 64;
        if (_seen.Length < words)
        {
            _seen = new ulong[Math.Max(words, 2 * _seen.Length)];
        }

        int best = 0;
        long won = 0;
        long mostWon = 0;
        for (int first = 0; first < entry.Queries; first += GroupRows)
        {
            int rows = Math.Min(GroupRows, entry.Queries - first);
            Span<ulong> seen = _seen.AsSpan(0, words);
            seen.Clear();
            long absorbed = rows * _absorbedRow;
            for (int row = 0; row < rows; row++)
            {
                ReadOnlySpan<int> tokens = selection.Tokens(entry.FirstRow + first + row);
                absorbed += tokens.Length * _absorbedKey;
                foreach (int token in tokens)
                {
                    seen[token >> 6] |= 1UL << token;
                }
            }

            long together = 0;
            foreach (ulong word in seen)
            {
                together += BitOperations.PopCount(word);
            }

            // An eighth goes into bringing the keys of a panel together, unless that is not worth it.
            long visible = entry.VisibleKeys(first + rows - 1);
            won += absorbed - (rows * Math.Min(together * 9 / 8, visible) * _decompressedKey);
            if (won - (visible * _decompression) > mostWon)
            {
                mostWon = won - (visible * _decompression);
                best = first + rows;
            }
        }

        return best;
    }
}
