using System.Globalization;
using System.Text;
using System.Text.Json;

namespace MlaGen.Models;

/// <summary>The decoders of a <c>tokenizer.json</c>: the bytes that a token stands for, and the spaces that a text loses at its beginning.</summary>
internal sealed class ByteTokens
{
    private readonly bool _isByteLevel;
    private readonly bool _hasByteFallback;
    private readonly List<Func<string, string>> _replacements = [];

    /// <param name="decoder">The file's <c>decoder</c>.</param>
    /// <exception cref="FormatException">A step is not supported.</exception>
    public ByteTokens(JsonElement? decoder)
    {
        bool isFused = false;
        foreach (JsonElement step in TextFiles.Steps(decoder, "decoders"))
        {
            string type = step.Text("type");
            switch (type)
            {
                case "ByteLevel":
                    _isByteLevel = true;
                    break;
                case "ByteFallback":
                    _hasByteFallback = true;
                    break;
                case "Fuse":
                    isFused = true;
                    break;
                case "Replace":
                    _replacements.Add(Normalizing.Replacement(step));
                    break;
                case "Metaspace":
                    string replacement = step.Optional("replacement")?.GetString() ?? "\u2581";
                    _replacements.Add(token => token.Replace(replacement, " ", StringComparison.Ordinal));
                    bool prepends = step.Optional("prepend_scheme")?.GetString() is { } scheme ? scheme != "never" : step.Flag("add_prefix_space", otherwise: true);
                    SpacesStripped = prepends ? 1 : 0;
                    break;
                case "Strip" when isFused && step.Text("content") == " " && step.GetProperty("stop").GetInt32() == 0:
                    SpacesStripped = step.GetProperty("start").GetInt32();
                    break;
                default:
                    throw new FormatException($"the decoder {type} is not supported");
            }
        }
    }

    /// <summary>Spaces that encoding put in front of a text: as many are left out of what is decoded.</summary>
    public int SpacesStripped { get; }

    /// <summary>GPT-2's printable stand-ins for bytes: printable Latin-1 characters stand for themselves, the other bytes, in order, for the characters from U+0100.</summary>
    public static Dictionary<char, byte> ByteOfCharacter { get; } = BytesOfCharacters();

    /// <summary>The same from the other side.</summary>
    public static char[] CharacterOfByte { get; } = [.. ByteOfCharacter.OrderBy(static pair => pair.Value).Select(static pair => pair.Key)];

    /// <summary>The bytes of a token of the vocabulary.</summary>
    public byte[] Decode(string token)
    {
        if (_hasByteFallback && FallbackByte(token) is { } value)
        {
            return [value];
        }

        foreach (Func<string, string> replacement in _replacements)
        {
            token = replacement(token);
        }

        return _isByteLevel && token.All(ByteOfCharacter.ContainsKey) ? [.. token.Select(character => ByteOfCharacter[character])] : Encoding.UTF8.GetBytes(token);
    }

    /// <summary>The byte of <c>&lt;0x0A&gt;</c>; null for another token.</summary>
    public static byte? FallbackByte(string token) =>
        token is ['<', '0', 'x', _, _, '>'] && byte.TryParse(token.AsSpan(3, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out byte value) ? value : null;

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
}
