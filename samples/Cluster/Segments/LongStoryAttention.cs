using MlaGen;

namespace Cluster.Segments;

/// <summary>
/// The attention of the story model at positions beyond those it was trained for: its stories grow worse there, and its arithmetic does not
/// change. Rotary frequencies come from the model's configuration; the number of positions is a limit and nothing else.
/// </summary>
[MlaAttention("StoryModel", MaxPositionEmbeddings = 16384)]
internal sealed partial class LongStoryAttention;
