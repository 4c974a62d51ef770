using Microsoft.Extensions.AI;

namespace Chat.Engine;

/// <summary>A model that is ready to answer.</summary>
/// <param name="Model">Its name.</param>
/// <param name="Client">Answers conversations.</param>
/// <param name="Continuation">Goes on with the text of a single message, by no chat template; the same model.</param>
/// <param name="Resources">What is given back in the end.</param>
internal sealed record LoadedEngine(string Model, IChatClient Client, IChatClient Continuation, params IReadOnlyList<IDisposable> Resources) : IDisposable
{
    public void Dispose()
    {
        foreach (IDisposable resource in Resources)
        {
            resource.Dispose();
        }
    }
}
