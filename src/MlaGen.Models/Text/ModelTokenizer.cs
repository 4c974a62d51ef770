using System.Text;
using System.Text.Json;

namespace MlaGen.Models;

/// <summary>
/// The tokenizer of a model: from text to token ids and back, as <c>tokenizer.json</c> of the Hugging Face tokenizers library describes it. Byte-pair
/// encoding is read, on bytes or with bytes as a fallback. Any number of threads may use one.
/// </summary>
public sealed class ModelTokenizer : ITextTokenizer
{
    private const int MaxVocabularySize = 16_000_000;

    private readonly Dictionary<string, int> _ids;
    private readonly string?[] _tokens;
    private readonly byte[][] _bytes;
    private readonly bool[] _special;
    private readonly AddedTokens? _raw, _normalized;
    private readonly Func<string, string>? _normalizer;
    private readonly PieceEncoder _encoder;
    private readonly int[] _prefix, _suffix;
    private readonly int _spacesStripped;

    private ModelTokenizer(JsonElement root, TokenizerConfig config, int mostCharacters)
    {
        JsonElement model = root.GetProperty("model");
        Dictionary<string, int> vocabulary = model.GetProperty("vocab").EnumerateObject().ToDictionary(entry => entry.Name, entry => entry.Value.GetInt32());
        AddedToken[] added = [.. root.Optional("added_tokens")?.EnumerateArray().Select(AddedToken.Read) ?? []];

        _ids = new(vocabulary);
        foreach (AddedToken token in added)
        {
            _ids[token.Content] = token.Id;
        }

        int last = _ids.Values.DefaultIfEmpty(-1).Max();
        if (_ids.Values.DefaultIfEmpty(0).Min() < 0 || last >= MaxVocabularySize)
        {
            throw new FormatException($"token ids are not all from 0 to {MaxVocabularySize - 1}");
        }

        ByteTokens decoder = new(root.Optional("decoder"));
        _spacesStripped = decoder.SpacesStripped;
        _tokens = new string?[last + 1];
        _bytes = new byte[last + 1][];
        _special = new bool[last + 1];
        Array.Fill(_bytes, []);
        foreach ((string token, int id) in _ids)
        {
            _tokens[id] = _tokens[id] is { } other ? throw new FormatException($"{token} and {other} have the same id {id}") : token;
            _bytes[id] = decoder.Decode(token);
        }

        foreach (AddedToken token in added)
        {
            _special[token.Id] = token.IsSpecial;
        }

        _normalizer = Normalizing.Create(root.Optional("normalizer"));
        _raw = Find(added.Where(token => !token.IsNormalized).Select(token => (token.Content, token)));
        _normalized = Find(added.Where(token => token.IsNormalized).Select(token => (_normalizer?.Invoke(token.Content) ?? token.Content, token)));
        _encoder = new(model, vocabulary, new PieceSplitter(root.Optional("pre_tokenizer")), mostCharacters);

        BosToken = Named(config.BosToken);
        EosToken = Named(config.EosToken);
        PadToken = Named(config.PadToken);
        UnknownToken = Named(config.UnknownToken);
        (_prefix, _suffix) = Surrounding.Create(root.Optional("post_processor"), this, config);

        static AddedTokens? Find(IEnumerable<(string Content, AddedToken Token)> tokens) => tokens.Any(token => token.Content.Length > 0) ? new(tokens) : null;

        int? Named(string? token) => token is not null && _ids.TryGetValue(token, out int id) ? id : null;
    }

    /// <summary>Ids run from 0 up to, not including, this number. The model's embedding may have more rows.</summary>
    public int VocabularySize => _tokens.Length;

    /// <summary>The token that begins a text, from <c>tokenizer_config.json</c>; null when the model has none.</summary>
    public int? BosToken { get; }

    /// <summary>The token that ends a text, from <c>tokenizer_config.json</c>; null when the model has none. <c>generation_config.json</c> may name more of them.</summary>
    public int? EosToken { get; }

    /// <summary>The token that fills a row up, from <c>tokenizer_config.json</c>; null when the model has none.</summary>
    public int? PadToken { get; }

    /// <summary>The token that stands for what no token stands for, from <c>tokenizer_config.json</c>; null when the model has none.</summary>
    public int? UnknownToken { get; }

    /// <summary>Reads <c>tokenizer.json</c> and, where there is one, <c>tokenizer_config.json</c> of a model's directory.</summary>
    /// <param name="directory">The directory.</param>
    /// <returns>The tokenizer.</returns>
    /// <exception cref="IOException">A file is missing or cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">A file may not be read.</exception>
    /// <exception cref="InvalidDataException">A file is wrong, or asks for something that is not supported, which the message names.</exception>
    public static ModelTokenizer Load(string directory) => Load(directory, mostCharacters: 512);

    /// <param name="directory">The directory.</param>
    /// <param name="mostCharacters">Characters beyond which a piece is a long one, which <see cref="LongPieces"/> merge.</param>
    internal static ModelTokenizer Load(string directory, int mostCharacters)
    {
        ArgumentNullException.ThrowIfNull(directory);
        TokenizerConfig config = TokenizerConfig.Load(directory);
        return TextFiles.Read(Path.Combine(directory, "tokenizer.json"), "a tokenizer", root => new ModelTokenizer(root, config, mostCharacters));
    }

    /// <summary>The tokens of a text. Added tokens, special ones included, are recognised in it, as the Hugging Face library does.</summary>
    /// <param name="text">The text. Surrogates without their other half are read as U+FFFD.</param>
    /// <param name="addSpecialTokens">Whether to put the tokens around it that the model expects around every text, such as the one that begins it. A text that a chat template wrote has them already.</param>
    /// <returns>Their ids.</returns>
    /// <exception cref="InvalidDataException">The tokenizer's own regular expressions take too long for this text.</exception>
    public int[] Encode(string text, bool addSpecialTokens = false)
    {
        ArgumentNullException.ThrowIfNull(text);
        List<int> ids = [];
        ids.AddRange(addSpecialTokens ? _prefix : []);
        bool isFirst = true;
        foreach ((string part, AddedToken? token) in Parts(_raw, WellFormed(text)))
        {
            if (token is not null)
            {
                ids.Add(token.Id);
            }
            else
            {
                AppendNormalized(_normalizer?.Invoke(part) ?? part, isFirst, ids);
            }

            isFirst = false;
        }

        ids.AddRange(addSpecialTokens ? _suffix : []);
        return [.. ids];
    }

    /// <summary>The text of tokens.</summary>
    /// <param name="ids">Their ids, as <see cref="StreamingDecoder.Append(int)"/> takes them.</param>
    /// <param name="skipSpecialTokens">Whether special tokens are left out.</param>
    /// <returns>The text. Bytes that make no character become U+FFFD.</returns>
    /// <exception cref="ArgumentOutOfRangeException">An id is negative.</exception>
    public string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens = true)
    {
        StreamingDecoder decoder = CreateDecoder(skipSpecialTokens);
        return decoder.Append(ids) + decoder.Complete();
    }

    /// <summary>Decodes tokens one by one.</summary>
    /// <param name="skipSpecialTokens">Whether special tokens are left out.</param>
    /// <returns>A decoder at the beginning of a text.</returns>
    public StreamingDecoder CreateDecoder(bool skipSpecialTokens = true) => new(this, skipSpecialTokens, _spacesStripped);

    /// <summary>The UTF-8 bytes of a token; a character may be spread over several. Special tokens have those of their name.</summary>
    /// <param name="id">Its id.</param>
    /// <returns>The bytes; none where there is no such token.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="id"/> is negative.</exception>
    public ReadOnlySpan<byte> Bytes(int id)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(id);
        return id < _bytes.Length ? _bytes[id] : [];
    }

    /// <summary>Whether a token is a special one, which stands for no text.</summary>
    /// <param name="id">Its id.</param>
    /// <returns>True if it is; false, too, where there is no such token.</returns>
    public bool IsSpecial(int id) => (uint)id < (uint)_special.Length && _special[id];

    /// <summary>The name of a token, as the file writes it.</summary>
    /// <param name="id">Its id.</param>
    /// <returns>The name; null where there is no such token.</returns>
    public string? TokenOf(int id) => (uint)id < (uint)_tokens.Length ? _tokens[id] : null;

    /// <summary>The id of a token.</summary>
    /// <param name="token">Its name, as the file writes it: <c>&lt;|end|&gt;</c>.</param>
    /// <returns>The id; null where there is no such token.</returns>
    public int? IdOf(string token) => _ids.TryGetValue(token, out int id) ? id : null;

    IReadOnlyList<int> ITextTokenizer.Encode(string text) => Encode(text);

    private void AppendNormalized(string text, bool isFirst, List<int> ids)
    {
        foreach ((string part, AddedToken? token) in Parts(_normalized, text))
        {
            if (token is not null)
            {
                ids.Add(token.Id);
            }
            else
            {
                _encoder.Append(part, isFirst, ids);
            }

            isFirst = false;
        }
    }

    private static IEnumerable<(string Part, AddedToken? Token)> Parts(AddedTokens? tokens, string text) => tokens is null
        ? text.Length == 0 ? [] : [(text, null)]
        : tokens.Split(text).Select(part => (part.Token is null ? text[part.Part] : "", part.Token));

    /// <summary>The text as UTF-8 can say it.</summary>
    private static string WellFormed(string text)
    {
        if (!text.AsSpan().ContainsAnyInRange('\uD800', '\uDFFF'))
        {
            return text;
        }

        StringBuilder repaired = new(text.Length);
        foreach (Rune rune in text.EnumerateRunes())
        {
            repaired.Append(rune.ToString());
        }

        return repaired.ToString();
    }
}
