using System.Text;
using System.Text.Json;
using System.Text.Unicode;
using Microsoft.ML.Tokenizers;

namespace MlaGen.Models;

/// <summary>The model of a <c>tokenizer.json</c>, byte-pair encoding: merges pieces of text into tokens.</summary>
internal sealed class PieceEncoder
{
    private readonly PieceSplitter _splitter;
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> _vocabulary;
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>>? _wholePieces;
    private readonly Tokenizer _merging;
    private readonly LongPieces _long;
    private readonly int _mostCharacters;
    private int[]? _byteFallback;
    private int? _unknown;
    private bool _fusesUnknown;

    private PieceEncoder(Dictionary<string, int> vocabulary, PieceSplitter splitter, Tokenizer merging, LongPieces @long, bool mergesWhole, int mostCharacters)
    {
        _splitter = splitter;
        _mostCharacters = mostCharacters;
        _vocabulary = vocabulary.GetAlternateLookup<ReadOnlySpan<char>>();
        _merging = merging;
        _long = @long;
        _wholePieces = mergesWhole ? null : WholePieces(vocabulary, splitter.IsByteLevel).GetAlternateLookup<ReadOnlySpan<char>>();
    }

    /// <summary>One whose merges are in order of the ranks of what they make.</summary>
    public static PieceEncoder Of(TiktokenFile file, PieceSplitter splitter, int mostCharacters)
    {
        using MemoryStream stream = new(file.Bytes);
        return new(file.Vocabulary, splitter, TiktokenTokenizer.Create(stream, preTokenizer: null, normalizer: null), LongPieces.ByRank(file.Vocabulary), mergesWhole: false, mostCharacters);
    }

    /// <summary>One whose merges are listed.</summary>
    /// <param name="model">The file's <c>model</c>.</param>
    /// <param name="vocabulary">Its tokens.</param>
    /// <param name="splitter">Splits a text into pieces.</param>
    /// <param name="mostCharacters">Characters of a piece that the library merges; its time grows with the square of them.</param>
    /// <exception cref="FormatException">The model asks for something that is not supported.</exception>
    public static PieceEncoder Of(JsonElement model, Dictionary<string, int> vocabulary, PieceSplitter splitter, int mostCharacters)
    {
        string type = model.Optional("type")?.GetString() ?? "BPE";
        Require(type == "BPE", $"the model {type} is not supported; BPE is");
        foreach (string name in (string[])["dropout", "continuing_subword_prefix", "end_of_word_suffix"])
        {
            Require(model.Optional(name) is not { } value || value.ToString() is "" or "0" or "0.0", $"{name} is not supported");
        }

        string[] merges = [.. model.GetProperty("merges").EnumerateArray().Select(Merge)];
        BpeTokenizer merging = BpeTokenizer.Create(new BpeOptions(vocabulary) { Merges = merges, ByteLevel = splitter.IsByteLevel });
        return new(vocabulary, splitter, merging, LongPieces.ByList(vocabulary, merges, splitter.IsByteLevel), mergesWhole: !model.Flag("ignore_merges"), mostCharacters)
        {
            _byteFallback = !splitter.IsByteLevel && model.Flag("byte_fallback") ? ByteTokens(vocabulary) : null,
            _unknown = !splitter.IsByteLevel && model.Optional("unk_token")?.GetString() is { } token ? vocabulary[token] : null,
            _fusesUnknown = !splitter.IsByteLevel && model.Flag("fuse_unk"),
        };
    }

    /// <summary>Appends the tokens of a text in which no added token is.</summary>
    /// <param name="text">The text, normalised.</param>
    /// <param name="isFirst">Whether it begins the whole text.</param>
    /// <param name="ids">Takes the tokens.</param>
    public void Append(string text, bool isFirst, List<int> ids)
    {
        text = _splitter.Prepare(text, isFirst);
        foreach ((int offset, int length) in _splitter.Split(text))
        {
            ReadOnlySpan<char> piece = text.AsSpan(offset, length);
            if (_wholePieces is { } whole && whole.TryGetValue(piece, out int id))
            {
                ids.Add(id);
            }
            else if (_splitter.IsByteLevel)
            {
                AppendMerged(piece, ids);
            }
            else
            {
                AppendKnown(piece, ids);
            }
        }
    }

    /// <summary>Characters that are tokens are merged; one that is none takes part in no merge, and ends a run of those that do.</summary>
    private void AppendKnown(ReadOnlySpan<char> piece, List<int> ids)
    {
        int begun = 0, next = 0;
        bool followsUnknown = false;
        Span<byte> bytes = stackalloc byte[4];
        foreach (Rune rune in piece.EnumerateRunes())
        {
            int length = rune.Utf16SequenceLength;
            bool isKnown = _vocabulary.ContainsKey(piece.Slice(next, length));
            if (!isKnown)
            {
                AppendMerged(piece[begun..next], ids);
                begun = next + length;
                if (_byteFallback is not null)
                {
                    foreach (byte value in bytes[..rune.EncodeToUtf8(bytes)])
                    {
                        ids.Add(_byteFallback[value]);
                    }
                }
                else if (_unknown is { } unknown && !(_fusesUnknown && followsUnknown))
                {
                    ids.Add(unknown);
                }
            }

            followsUnknown = !isKnown;
            next += length;
        }

        AppendMerged(piece[begun..], ids);
    }

    private void AppendMerged(ReadOnlySpan<char> run, List<int> ids)
    {
        if (run.Length > _mostCharacters)
        {
            _long.Append(run, ids);
        }
        else if (run.Length > 0)
        {
            ids.AddRange(_merging.EncodeToIds(run, considerPreTokenization: false, considerNormalization: false));
        }
    }

    /// <summary>A merge is <c>["a", "b"]</c> in newer files, <c>"a b"</c> in older ones.</summary>
    private static string Merge(JsonElement merge) => merge.ValueKind == JsonValueKind.String
        ? merge.GetString()!
        : $"{merge[0].GetString()} {merge[1].GetString()}";

    private static int[] ByteTokens(Dictionary<string, int> vocabulary) =>
        [.. Enumerable.Range(0, 256).Select(value => vocabulary.TryGetValue($"<0x{value:X2}>", out int id) ? id : throw new FormatException($"byte_fallback needs a token <0x{value:X2}>"))];

    /// <summary>The texts that are tokens, whatever the merges say. Pieces are whole characters: bytes that are none are no piece.</summary>
    private static Dictionary<string, int> WholePieces(Dictionary<string, int> vocabulary, bool isByteLevel) => !isByteLevel
        ? vocabulary
        : vocabulary.Where(entry => entry.Key.All(Models.ByteTokens.ByteOfCharacter.ContainsKey))
            .Select(entry => (Bytes: entry.Key.Select(character => Models.ByteTokens.ByteOfCharacter[character]).ToArray(), entry.Value))
            .Where(entry => Utf8.IsValid(entry.Bytes))
            .ToDictionary(entry => Encoding.UTF8.GetString(entry.Bytes), entry => entry.Value);

    private static void Require(bool holds, string problem)
    {
        if (!holds)
        {
            throw new FormatException(problem);
        }
    }
}
