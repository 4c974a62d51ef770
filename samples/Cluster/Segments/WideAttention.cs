using MlaGen;

namespace Cluster.Segments;

/// <summary>DeepSeek-V3's attention core, for measurements: its 128 heads make the messages of a large model. No projection of it is ever loaded.</summary>
[MlaAttention(HiddenSize = 7168, Heads = 128, QLoraRank = 1536, MaxPositionEmbeddings = 163840)]
internal sealed partial class WideAttention;
