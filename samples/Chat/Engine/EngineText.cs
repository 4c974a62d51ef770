using System.Text.Json.Nodes;
using Microsoft.Extensions.AI;
using MlaGen.Models;

namespace Chat.Engine;

/// <summary>A checkpoint's tokenizer, for generation. Embeddings often have more rows than there are tokens: those stand for no text.</summary>
internal sealed class EngineTokenizer(ModelTokenizer tokenizer, int rows) : ITextTokenizer
{
    public int VocabularySize { get; } = Math.Max(tokenizer.VocabularySize, rows);

    public IReadOnlyList<int> Encode(string text) => tokenizer.Encode(text);

    public ReadOnlySpan<byte> BytesOf(int token) => tokenizer.IsSpecial(token) ? [] : tokenizer.Bytes(token);
}

/// <summary>A checkpoint's own template.</summary>
internal sealed class EngineTemplate(ChatTemplate template) : IChatTemplate
{
    public string Render(IReadOnlyList<ChatMessage> messages)
    {
        try
        {
            return template.Render([.. messages.Select(static message => new JsonObject { ["role"] = message.Role.Value, ["content"] = message.Text })]);
        }
        catch (ChatTemplateException problem)
        {
            // What a template refuses is what was said, not the template.
            throw new ArgumentException(problem.Message, problem);
        }
    }
}

/// <summary>For models that have learned no conversation, and for text to go on with: what was said, one after the other.</summary>
/// <param name="beginning">The token before every text, as text.</param>
internal sealed class PlainTemplate(string beginning) : IChatTemplate
{
    public string Render(IReadOnlyList<ChatMessage> messages) => beginning + (messages is [{ } only] ? only.Text : string.Join(' ', messages.Select(static message => message.Text.Trim(' '))));
}
