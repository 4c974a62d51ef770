using MlaGen;

namespace Storyteller.Model;

/// <summary>
/// The attention of the story model. The compiler takes its dimensions from the model's own <c>config.json</c>. It brings machine code for every precision; which
/// one a session takes is an option, and exact by default.
/// </summary>
[MlaAttention("StoryModel", Precision = MlaPrecision.Medium)]
public sealed partial class StoryAttention;
