using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.ML.Tokenizers;

namespace Storyteller.Text;

/// <summary>Byte-level BPE, as <c>tokenizer.json</c> of the Hugging Face tokenizers library describes it.</summary>
internal sealed partial class StoryTokenizer
{
    private readonly BpeTokenizer _tokenizer;
    private readonly byte[]?[] _bytes;

    private StoryTokenizer(BpeTokenizer tokenizer, byte[]?[] bytes)
    {
        _tokenizer = tokenizer;
        _bytes = bytes;
    }

    /// <summary>Ids run from 0 up to, not including, this number.</summary>
    public int VocabularySize => _bytes.Length;

    /// <exception cref="InvalidDataException">The file is not a byte-level BPE tokenizer.</exception>
    public static StoryTokenizer Load(string path)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(ModelFile.ReadAllBytes(path));
            return Create(document.RootElement);
        }
        catch (Exception error) when (error is JsonException or KeyNotFoundException or InvalidOperationException or FormatException or ArgumentException)
        {
            throw new InvalidDataException($"{path} is not a byte-level BPE tokenizer: {error.Message}", error);
        }
    }

    /// <summary>Token ids of a text. Special tokens in it are recognised, as the Hugging Face library does.</summary>
    public IReadOnlyList<int> Encode(string text) => _tokenizer.EncodeToIds(text);

    /// <summary>Token ids of a text, each with the range of characters that it stands for.</summary>
    public IReadOnlyList<(int Id, Range Characters)> EncodeWithOffsets(string text) =>
        [.. _tokenizer.EncodeToTokens(text, out _).Select(token => (token.Id, token.Offset))];

    /// <summary>The UTF-8 bytes of a token; none for a special token. A character may be spread over several tokens.</summary>
    public ReadOnlySpan<byte> Bytes(int id) => _bytes[id];

    /// <summary>The text of tokens. Bytes that make no character become U+FFFD.</summary>
    public string Decode(ReadOnlySpan<int> ids)
    {
        List<byte> bytes = [];
        foreach (int id in ids)
        {
            bytes.AddRange(Bytes(id));
        }

        return Encoding.UTF8.GetString(CollectionsMarshal.AsSpan(bytes));
    }

    private static StoryTokenizer Create(JsonElement root)
    {
        JsonElement model = root.GetProperty("model");
        Require(model.GetProperty("type").GetString() == "BPE", "the model is not BPE");
        JsonElement splitting = root.GetProperty("pre_tokenizer");
        Require(splitting.GetProperty("type").GetString() == "ByteLevel" && splitting.GetProperty("use_regex").GetBoolean(), "the pre-tokenizer is not ByteLevel with its regular expression");
        Require(!splitting.GetProperty("add_prefix_space").GetBoolean(), "a prefix space is not supported");
        Require(root.GetProperty("normalizer").ValueKind == JsonValueKind.Null, "a normalizer is not supported");

        Dictionary<string, int> special = root.GetProperty("added_tokens").EnumerateArray()
            .ToDictionary(token => token.GetProperty("content").GetString()!, token => token.GetProperty("id").GetInt32());
        Dictionary<string, int> vocabulary = model.GetProperty("vocab").EnumerateObject().ToDictionary(entry => entry.Name, entry => entry.Value.GetInt32());
        foreach ((string token, int id) in special)
        {
            vocabulary[token] = id;
        }

        BpeTokenizer tokenizer = BpeTokenizer.Create(new BpeOptions(vocabulary)
        {
            Merges = [.. model.GetProperty("merges").EnumerateArray().Select(Merge)],
            SpecialTokens = special,
            PreTokenizer = new RegexPreTokenizer(WordPattern(), special),
            ByteLevel = true,
        });
        return new StoryTokenizer(tokenizer, BytesOfTokens(vocabulary, special));
    }

    /// <summary>A merge is <c>["a", "b"]</c> in newer files, <c>"a b"</c> in older ones.</summary>
    private static string Merge(JsonElement merge) => merge.ValueKind == JsonValueKind.String
        ? merge.GetString()!
        : $"{merge[0].GetString()} {merge[1].GetString()}";

    private static byte[]?[] BytesOfTokens(Dictionary<string, int> vocabulary, Dictionary<string, int> special)
    {
        Dictionary<char, byte> byteOf = BytesOfCharacters();
        byte[]?[] bytes = new byte[]?[vocabulary.Count];
        foreach ((string token, int id) in vocabulary)
        {
            Require(id >= 0 && id < bytes.Length && bytes[id] is null, $"token ids do not run from 0 to {bytes.Length - 1}");
            bytes[id] = special.ContainsKey(token) ? [] : [.. token.Select(character => byteOf[character])];
        }

        return bytes;
    }

    /// <summary>
    /// GPT-2's printable stand-ins for bytes: printable Latin-1 characters stand for themselves, the other bytes, in order, for the characters from U+0100.
    /// </summary>
    private static Dictionary<char, byte> BytesOfCharacters()
    {
        Dictionary<char, byte> byteOf = [];
        char next = '\u0100';
        for (int value = 0; value < 256; value++)
        {
            bool printable = value is (>= '!' and <= '~') or (>= '¡' and <= '¬') or (>= '®' and <= 'ÿ');
            byteOf.Add(printable ? (char)value : next++, (byte)value);
        }

        return byteOf;
    }

    private static void Require(bool holds, string problem)
    {
        if (!holds)
        {
            throw new FormatException(problem);
        }
    }

    /// <summary>The split of the Hugging Face library's <c>ByteLevel</c> pre-tokenizer, which is GPT-2's.</summary>
    [GeneratedRegex(@"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+", RegexOptions.CultureInvariant)]
    private static partial Regex WordPattern();
}
