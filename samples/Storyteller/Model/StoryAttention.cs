using MlaGen;

namespace Storyteller.Model;

/// <summary>The attention of the story model. The compiler takes its dimensions from the model's own <c>config.json</c>.</summary>
[MlaAttention("StoryModel")]
public sealed partial class StoryAttention;

// The format is part of a class: the same attention once more for each of the smaller caches.

/// <summary><see cref="StoryAttention"/> on a cache of <see cref="CacheFormat.BFloat16"/>.</summary>
[MlaAttention("StoryModel", CacheFormat = CacheFormat.BFloat16)]
public sealed partial class StoryAttentionBFloat16;

/// <summary><see cref="StoryAttention"/> on a cache of <see cref="CacheFormat.Float16"/>.</summary>
[MlaAttention("StoryModel", CacheFormat = CacheFormat.Float16)]
public sealed partial class StoryAttentionFloat16;

/// <summary><see cref="StoryAttention"/> on a cache of <see cref="CacheFormat.Float8"/>.</summary>
[MlaAttention("StoryModel", CacheFormat = CacheFormat.Float8)]
public sealed partial class StoryAttentionFloat8;

/// <summary><see cref="StoryAttention"/> on a cache of <see cref="CacheFormat.Int8"/>.</summary>
[MlaAttention("StoryModel", CacheFormat = CacheFormat.Int8)]
public sealed partial class StoryAttentionInt8;
