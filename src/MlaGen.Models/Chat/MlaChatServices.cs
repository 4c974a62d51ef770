using Microsoft.Extensions.AI;
using Microsoft.Extensions.DependencyInjection;

namespace MlaGen.Models;

/// <summary>Registers models as services.</summary>
public static class MlaChatServices
{
    /// <summary>
    /// Registers an <see cref="IChatClient"/> and the <see cref="TextGenerator"/> behind it, one each for the whole program. The model is loaded when one of them is
    /// first asked for, and the generator is disposed with the services.
    /// </summary>
    /// <param name="services">The services.</param>
    /// <param name="generator">Makes the generator, with a tokenizer.</param>
    /// <param name="template">Makes the template.</param>
    /// <param name="modelId">What the model is called in responses; <see langword="null"/> for its directory's name.</param>
    /// <returns><paramref name="services"/>.</returns>
    public static IServiceCollection AddMlaChatClient(
        this IServiceCollection services, Func<IServiceProvider, TextGenerator> generator, Func<IServiceProvider, IChatTemplate> template, string? modelId = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentNullException.ThrowIfNull(generator);
        ArgumentNullException.ThrowIfNull(template);
        services.AddSingleton(generator);
        services.AddSingleton(template);
        services.AddSingleton<IChatClient>(provider => new MlaChatClient(provider.GetRequiredService<TextGenerator>(), provider.GetRequiredService<IChatTemplate>(), modelId));
        return services;
    }
}
