using MlaGen;

namespace Storyteller.Model;

/// <summary>The attention of the story model. The compiler takes its dimensions from the model's own <c>config.json</c>.</summary>
[MlaAttention("StoryModel")]
public sealed partial class StoryAttention;
