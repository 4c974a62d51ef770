using MlaGen;

namespace Storyteller.Model;

/// <summary>What the classes below have in common beyond <see cref="IMlaAttention{TSelf}"/>: a layer of each can be loaded.</summary>
/// <typeparam name="TSelf">The class itself.</typeparam>
internal interface IStoryAttention<TSelf> : IMlaAttention<TSelf>
    where TSelf : class, IStoryAttention<TSelf>
{
    /// <summary>Loads one layer.</summary>
    /// <param name="checkpoint">The weights.</param>
    /// <param name="prefix">What the names of the layer's tensors begin with.</param>
    /// <param name="layer">The layer's number in the cache.</param>
    static abstract TSelf Load(ICheckpoint checkpoint, string prefix, int layer);
}

/// <summary>The attention of the story model. The compiler takes its dimensions from the model's own <c>config.json</c>.</summary>
[MlaAttention("StoryModel")]
public sealed partial class StoryAttention : IStoryAttention<StoryAttention>
{
    /// <inheritdoc/>
    public static StoryAttention Load(ICheckpoint checkpoint, string prefix, int layer) => new(Weights.Load(checkpoint, prefix), layer);
}

// The format is part of a class: the same attention once more for each of the smaller caches.

/// <summary><see cref="StoryAttention"/> on a cache of <see cref="CacheFormat.BFloat16"/>.</summary>
[MlaAttention("StoryModel", CacheFormat = CacheFormat.BFloat16)]
public sealed partial class StoryAttentionBFloat16 : IStoryAttention<StoryAttentionBFloat16>
{
    /// <inheritdoc/>
    public static StoryAttentionBFloat16 Load(ICheckpoint checkpoint, string prefix, int layer) => new(Weights.Load(checkpoint, prefix), layer);
}

/// <summary><see cref="StoryAttention"/> on a cache of <see cref="CacheFormat.Float16"/>.</summary>
[MlaAttention("StoryModel", CacheFormat = CacheFormat.Float16)]
public sealed partial class StoryAttentionFloat16 : IStoryAttention<StoryAttentionFloat16>
{
    /// <inheritdoc/>
    public static StoryAttentionFloat16 Load(ICheckpoint checkpoint, string prefix, int layer) => new(Weights.Load(checkpoint, prefix), layer);
}

/// <summary><see cref="StoryAttention"/> on a cache of <see cref="CacheFormat.Float8"/>.</summary>
[MlaAttention("StoryModel", CacheFormat = CacheFormat.Float8)]
public sealed partial class StoryAttentionFloat8 : IStoryAttention<StoryAttentionFloat8>
{
    /// <inheritdoc/>
    public static StoryAttentionFloat8 Load(ICheckpoint checkpoint, string prefix, int layer) => new(Weights.Load(checkpoint, prefix), layer);
}

/// <summary><see cref="StoryAttention"/> on a cache of <see cref="CacheFormat.Int8"/>.</summary>
[MlaAttention("StoryModel", CacheFormat = CacheFormat.Int8)]
public sealed partial class StoryAttentionInt8 : IStoryAttention<StoryAttentionInt8>
{
    /// <inheritdoc/>
    public static StoryAttentionInt8 Load(ICheckpoint checkpoint, string prefix, int layer) => new(Weights.Load(checkpoint, prefix), layer);
}
