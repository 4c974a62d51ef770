using MlaGen.Models;

namespace Storyteller.Text;

/// <summary>Writes tokens as text as they come. A character whose bytes are spread over several tokens appears once it is complete.</summary>
internal sealed class TextStream(ModelTokenizer tokenizer, TextWriter output)
{
    private readonly StreamingDecoder _decoder = tokenizer.CreateDecoder();

    public void Write(int token) => Write(_decoder.Append(token));

    /// <summary>Takes tokens as written before, so that a character begun by them is completed by those that follow.</summary>
    public void Skip(ReadOnlySpan<int> tokens) => _decoder.Append(tokens);

    /// <summary>Ends the text: bytes still waiting for the rest of their character become U+FFFD.</summary>
    public void Complete() => Write(_decoder.Complete());

    private void Write(string text)
    {
        output.Write(text);
        output.Flush();
    }
}
