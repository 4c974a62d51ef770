using Microsoft.Extensions.AI;
using MlaGen.Models;

namespace Chat.Engine;

/// <summary>For models that have learned no conversation, and for text to go on with: what was said, one after the other.</summary>
/// <param name="beginning">The token before every text, as text.</param>
internal sealed class PlainTemplate(string beginning) : IChatTemplate
{
    public string Render(IReadOnlyList<ChatMessage> messages) => beginning + (messages is [{ } only] ? only.Text : string.Join(' ', messages.Select(static message => message.Text.Trim(' '))));
}
