using MlaGen;
using MlaGen.Models;

namespace Chat.Engine;

/// <summary>The classes that checkpoints are loaded with: the first that fits. A line here and one at the end add a model.</summary>
internal static class Models
{
    public static IEnumerable<AttentionClass> Classes =>
    [
        AttentionClass.Of<StoryAttention>(),
    ];
}

/// <summary>The model that comes with the program.</summary>
[MlaAttention("StoryModel")]
internal sealed partial class StoryAttention;
