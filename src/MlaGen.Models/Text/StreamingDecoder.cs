using System.Text;

namespace MlaGen.Models;

/// <summary>
/// Turns tokens into text as they come. A character whose bytes are spread over several tokens appears once it is complete. Made by
/// <see cref="ModelTokenizer.CreateDecoder"/>; for one thread at a time.
/// </summary>
public sealed class StreamingDecoder
{
    private readonly ITextTokenizer _tokenizer;
    private readonly bool _skipSpecialTokens;
    private readonly System.Text.Decoder _decoder = Encoding.UTF8.GetDecoder();
    private char[] _characters = new char[64];
    private int _spacesToStrip;

    internal StreamingDecoder(ITextTokenizer tokenizer, bool skipSpecialTokens, int spacesToStrip)
    {
        _tokenizer = tokenizer;
        _skipSpecialTokens = skipSpecialTokens;
        _spacesToStrip = spacesToStrip;
    }

    /// <summary>Takes a token.</summary>
    /// <param name="id">Its id. One that the tokenizer does not have stands for no text: embeddings often have more rows than there are tokens.</param>
    /// <returns>The characters that are complete with it; empty when none is.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="id"/> is negative.</exception>
    public string Append(int id)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(id);
        return _skipSpecialTokens && _tokenizer.IsSpecial(id) ? "" : Decode(_tokenizer.Bytes(id), flush: false);
    }

    /// <summary>Takes several tokens.</summary>
    /// <param name="ids">Their ids, as <see cref="Append(int)"/> takes them.</param>
    /// <returns>The characters that are complete with them.</returns>
    /// <exception cref="ArgumentOutOfRangeException">An id is negative.</exception>
    public string Append(ReadOnlySpan<int> ids)
    {
        StringBuilder text = new();
        foreach (int id in ids)
        {
            text.Append(Append(id));
        }

        return text.ToString();
    }

    /// <summary>Ends the text.</summary>
    /// <returns>U+FFFD for bytes that wait for the rest of their character; empty when none do.</returns>
    public string Complete() => Decode([], flush: true);

    private string Decode(ReadOnlySpan<byte> bytes, bool flush)
    {
        int most = Encoding.UTF8.GetMaxCharCount(bytes.Length);
        if (most > _characters.Length)
        {
            _characters = new char[most];
        }

        ReadOnlySpan<char> text = _characters.AsSpan(0, _decoder.GetChars(bytes, _characters, flush));
        for (; _spacesToStrip > 0 && text.Length > 0; _spacesToStrip--)
        {
            if (text[0] != ' ')
            {
                _spacesToStrip = 0;
                break;
            }

            text = text[1..];
        }

        return text.ToString();
    }
}
