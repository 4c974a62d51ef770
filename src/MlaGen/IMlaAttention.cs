using System.ComponentModel;
using MlaGen.Runtime;

namespace MlaGen;

/// <summary>What every class generated from <see cref="MlaAttentionAttribute"/> is: one MLA layer.</summary>
/// <typeparam name="TSelf">The generated class itself.</typeparam>
public interface IMlaAttention<TSelf>
    where TSelf : class, IMlaAttention<TSelf>
{
    /// <summary>The layer's dimensions.</summary>
    static abstract MlaShape Shape { get; }

    /// <summary>The layer's constants.</summary>
    [EditorBrowsable(EditorBrowsableState.Never)]
    static abstract MlaDefinition Definition { get; }
}
