using Microsoft.Extensions.AI;

namespace MlaGen.Models;

/// <summary>How a conversation becomes the text that a model continues with its answer.</summary>
/// <remarks>Implementations may be used by any number of threads at once.</remarks>
public interface IChatTemplate
{
    /// <summary>Renders a conversation, up to where the answer begins.</summary>
    /// <param name="messages">The conversation.</param>
    /// <exception cref="ArgumentException">The template has no place for a message.</exception>
    string Render(IReadOnlyList<ChatMessage> messages);
}
