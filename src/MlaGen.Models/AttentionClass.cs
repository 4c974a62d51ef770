namespace MlaGen.Models;

/// <summary>A generated class that models may be loaded with.</summary>
public abstract class AttentionClass
{
    private protected AttentionClass()
    {
    }

    /// <summary>Its name, for messages.</summary>
    public abstract string Name { get; }

    /// <summary>Its dimensions.</summary>
    public abstract MlaShape Shape { get; }

    /// <summary>Offers a class.</summary>
    /// <typeparam name="T">The generated class.</typeparam>
    public static AttentionClass Of<T>()
        where T : class, IMlaAttention<T> => new AttentionClass<T>();

    internal abstract IReadOnlyList<string> Differences(AttentionFit fit);

    internal abstract LanguageModel Load(string directory, ModelConfig config, ModelOptions options);
}

/// <summary>A generated class.</summary>
/// <typeparam name="T">The generated class.</typeparam>
internal sealed class AttentionClass<T> : AttentionClass
    where T : class, IMlaAttention<T>
{
    public override string Name => typeof(T).Name;

    public override MlaShape Shape => T.Shape;

    internal override IReadOnlyList<string> Differences(AttentionFit fit) => fit.Differences(T.Definition);

    internal override LanguageModel Load(string directory, ModelConfig config, ModelOptions options) => new LanguageModel<T>(directory, config, options);
}
