using System.Buffers;
using System.Buffers.Text;
using System.Globalization;
using System.Text.Json;

namespace MlaGen.Models;

/// <summary>
/// A <c>tiktoken.model</c> as Kimi-K2 has it: tokens as bytes in Base64, each with its rank, which is its id and decides what is merged first. How texts are split, and
/// that 256 further tokens follow, is fixed by the model's own tokenizer (<c>tokenization_kimi.py</c>).
/// </summary>
/// <param name="Vocabulary">Tokens in the printable stand-ins of their bytes, and their ids.</param>
/// <param name="Added">The further tokens: named by <c>tokenizer_config.json</c>, or reserved.</param>
/// <param name="Bytes">The file.</param>
internal sealed record TiktokenFile(Dictionary<string, int> Vocabulary, AddedToken[] Added, byte[] Bytes)
{
    public const string FileName = "tiktoken.model";

    private const int FurtherTokens = 256;
    private const int MostTokenCharacters = 4096;

    /// <summary>Runs of Chinese characters; words with at most one other character before them, small behind capital letters, their contractions; numbers by threes; the rest.</summary>
    private const string Pattern =
        @"[\p{Han}]+"
        + @"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
        + @"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
        + @"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    /// <summary>How it splits texts, as a <c>tokenizer.json</c> would say it.</summary>
    public static JsonElement PreTokenizer { get; } = JsonDocument.Parse($$"""
        {"type": "Sequence", "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": "{{JsonEncodedText.Encode(Pattern)}}"}, "behavior": "Isolated", "invert": false},
            {"type": "ByteLevel", "add_prefix_space": false, "use_regex": false}]}
        """).RootElement;

    /// <summary>How it makes bytes of tokens.</summary>
    public static JsonElement Decoder { get; } = JsonDocument.Parse("""{"type": "ByteLevel"}""").RootElement;

    /// <exception cref="IOException">The file cannot be read.</exception>
    /// <exception cref="InvalidDataException">It is no such file; says at which line.</exception>
    public static TiktokenFile Read(string path, TokenizerConfig config)
    {
        byte[] bytes = TextFiles.ReadAllBytes(path);
        Dictionary<string, int> vocabulary = [];
        int number = 0;
        foreach (Range range in bytes.AsSpan().Split((byte)'\n'))
        {
            number++;
            ReadOnlySpan<byte> line = bytes.AsSpan(range).TrimEnd((byte)'\r');
            if (!line.IsEmpty && Problem(line, vocabulary) is { } problem)
            {
                throw new InvalidDataException($"{path}, line {number}: {problem}");
            }
        }

        int[] missing = [.. Enumerable.Range(0, 256).Where(value => !vocabulary.ContainsKey(ByteTokens.CharacterOfByte[value].ToString()))];
        return missing.Length == 0
            ? new TiktokenFile(vocabulary, Further(vocabulary.Count, config), bytes)
            : throw new InvalidDataException($"{path} has no token of {Counted.Of(missing.Length, "byte")}, the first of which is {missing[0]}");
    }

    /// <summary>Takes a line, or tells what is wrong with it.</summary>
    private static string? Problem(ReadOnlySpan<byte> line, Dictionary<string, int> vocabulary)
    {
        int space = line.IndexOf((byte)' ');
        if (space <= 0 || space > MostTokenCharacters)
        {
            return "expected a token in Base64, a space and its rank";
        }

        Span<byte> token = stackalloc byte[MostTokenCharacters];
        if (Base64.DecodeFromUtf8(line[..space], token, out _, out int length) != OperationStatus.Done || length == 0)
        {
            return "its token is not Base64";
        }

        string name = string.Concat(token[..length].ToArray().Select(static value => ByteTokens.CharacterOfByte[value]));
        return !int.TryParse(line[(space + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out int id) || id >= ModelTokenizer.MaxVocabularySize
            ? $"its rank is not a number from 0 to {ModelTokenizer.MaxVocabularySize - 1}"
            : vocabulary.TryAdd(name, id) ? null : "its token is that of another line";
    }

    /// <summary>The tokens behind those of the file.</summary>
    private static AddedToken[] Further(int first, TokenizerConfig config)
    {
        Dictionary<int, AddedToken> named = config.AddedTokens.ToDictionary(static token => token.Id);
        return
        [
            .. Enumerable.Range(first, FurtherTokens).Select(id => named.GetValueOrDefault(id)
                ?? new AddedToken(id, FormattableString.Invariant($"<|reserved_token_{id}|>"), IsSpecial: true, IsNormalized: false, SingleWord: false, StripsLeft: false, StripsRight: false)),
        ];
    }
}
