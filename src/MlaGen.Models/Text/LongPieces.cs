using System.Text;

namespace MlaGen.Models;

/// <summary>
/// Merges pieces of any length, with the result of <see cref="Microsoft.ML.Tokenizers.BpeTokenizer"/> or <see cref="Microsoft.ML.Tokenizers.TiktokenTokenizer"/>. These are quick at pieces as texts have them,
/// but their time grows with the square of the length, and whoever sends a text chooses it.
/// </summary>
internal sealed class LongPieces
{
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> _vocabulary;
    private readonly int[]? _byteIds;
    private readonly Lazy<Dictionary<(int Left, int Right), (int Rank, int Id)>> _merges;

    private LongPieces(Dictionary<string, int> vocabulary, bool isByteLevel, Func<Dictionary<(int, int), (int, int)>> merges)
    {
        _vocabulary = vocabulary.GetAlternateLookup<ReadOnlySpan<char>>();
        _merges = new(merges);
        if (isByteLevel)
        {
            _byteIds = [.. ByteTokens.CharacterOfByte.Select(character => vocabulary.GetValueOrDefault(character.ToString(), -1))];
        }
    }

    /// <summary>Merges as they are listed: the earlier before the later.</summary>
    public static LongPieces ByList(Dictionary<string, int> vocabulary, string[] merges, bool isByteLevel) => new(vocabulary, isByteLevel, () =>
    {
        Dictionary<(int, int), (int, int)> merged = new(merges.Length);
        for (int rank = 0; rank < merges.Length; rank++)
        {
            int space = merges[rank].IndexOf(' ', StringComparison.Ordinal);
            (string left, string right) = (merges[rank][..space], merges[rank][(space + 1)..]);
            merged.Add((vocabulary[left], vocabulary[right]), (rank, vocabulary[left + right]));
        }

        return merged;
    });

    /// <summary>Any two tokens that are a third one, of bytes; the third one's id says what comes first.</summary>
    public static LongPieces ByRank(Dictionary<string, int> vocabulary) => new(vocabulary, isByteLevel: true, () =>
    {
        Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> parts = vocabulary.GetAlternateLookup<ReadOnlySpan<char>>();
        Dictionary<(int, int), (int, int)> merged = [];
        foreach ((string token, int id) in vocabulary)
        {
            for (int cut = 1; cut < token.Length; cut++)
            {
                if (parts.TryGetValue(token.AsSpan(0, cut), out int left) && parts.TryGetValue(token.AsSpan(cut), out int right))
                {
                    merged.Add((left, right), (id, id));
                }
            }
        }

        return merged;
    });

    /// <summary>Appends the tokens of a piece.</summary>
    public void Append(ReadOnlySpan<char> piece, List<int> ids)
    {
        int[] symbols = Symbols(piece);
        // Symbols that have become part of their left neighbour are left out of the chain; -1 ends it.
        int[] previous = [.. Enumerable.Range(-1, symbols.Length)];
        int[] next = [.. Enumerable.Range(1, symbols.Length).Select(place => place < symbols.Length ? place : -1)];
        PriorityQueue<(int Place, int Id), (int Rank, int Place)> queue = new();
        for (int place = 0; place < symbols.Length; place++)
        {
            Consider(place);
        }

        while (queue.TryDequeue(out (int Place, int Id) merge, out _))
        {
            int right = next[merge.Place];
            // What stands there may have changed since.
            if (symbols[merge.Place] < 0 || right < 0 || !_merges.Value.TryGetValue((symbols[merge.Place], symbols[right]), out (int Rank, int Id) current) || current.Id != merge.Id)
            {
                continue;
            }

            symbols[merge.Place] = merge.Id;
            symbols[right] = -1;
            next[merge.Place] = next[right];
            if (next[right] >= 0)
            {
                previous[next[right]] = merge.Place;
            }

            Consider(previous[merge.Place]);
            Consider(merge.Place);
        }

        foreach (int symbol in symbols)
        {
            if (symbol >= 0)
            {
                ids.Add(symbol);
            }
        }

        void Consider(int place)
        {
            if (place >= 0 && next[place] >= 0 && _merges.Value.TryGetValue((symbols[place], symbols[next[place]]), out (int Rank, int Id) merge))
            {
                queue.Enqueue((place, merge.Id), (merge.Rank, place));
            }
        }
    }

    /// <summary>The tokens of bytes or characters; what has none is left out.</summary>
    private int[] Symbols(ReadOnlySpan<char> piece)
    {
        List<int> symbols = new(piece.Length);
        Span<byte> bytes = stackalloc byte[4];
        int begun = 0;
        foreach (Rune rune in piece.EnumerateRunes())
        {
            if (_byteIds is null)
            {
                symbols.Add(_vocabulary.TryGetValue(piece.Slice(begun, rune.Utf16SequenceLength), out int id) ? id : -1);
                begun += rune.Utf16SequenceLength;
                continue;
            }

            foreach (byte value in bytes[..rune.EncodeToUtf8(bytes)])
            {
                symbols.Add(_byteIds[value]);
            }
        }

        symbols.RemoveAll(static symbol => symbol < 0);
        return [.. symbols];
    }
}
