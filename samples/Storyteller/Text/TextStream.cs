using System.Text;

namespace Storyteller.Text;

/// <summary>Writes tokens as text as they come. A character whose bytes are spread over several tokens appears once it is complete.</summary>
internal sealed class TextStream(StoryTokenizer tokenizer, TextWriter output)
{
    private readonly Decoder _decoder = Encoding.UTF8.GetDecoder();
    private char[] _characters = new char[256];

    public void Write(int token) => Write(tokenizer.Bytes(token), flush: false);

    /// <summary>Takes tokens as written before, so that a character begun by them is completed by those that follow.</summary>
    public void Skip(ReadOnlySpan<int> tokens)
    {
        foreach (int token in tokens)
        {
            Decode(tokenizer.Bytes(token), flush: false);
        }
    }

    /// <summary>Ends the text: bytes still waiting for the rest of their character become U+FFFD.</summary>
    public void Complete() => Write([], flush: true);

    private void Write(ReadOnlySpan<byte> bytes, bool flush)
    {
        output.Write(Decode(bytes, flush));
        output.Flush();
    }

    private ReadOnlySpan<char> Decode(ReadOnlySpan<byte> bytes, bool flush)
    {
        int most = Encoding.UTF8.GetMaxCharCount(bytes.Length);
        if (most > _characters.Length)
        {
            _characters = new char[most];
        }

        return _characters.AsSpan(0, _decoder.GetChars(bytes, _characters, flush));
    }
}
