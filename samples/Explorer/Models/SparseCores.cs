using MlaGen;

namespace Explorer.Models;

// Published sparse shapes on a hidden state of 16: what is measured are the attention and its indexer alone.

[MlaAttention(HiddenSize = 16, Heads = 128, QLoraRank = 16, MaxPositionEmbeddings = 163840, IndexTopK = 2048, IndexHeads = 64)]
internal sealed partial class DeepSeekV32Core;

[MlaAttention(HiddenSize = 16, Heads = 64, QLoraRank = 16, QkNopeHeadDim = 192, VHeadDim = 256, MaxPositionEmbeddings = 1048576, RopeTheta = 8e6,
    IndexTopK = 2048, IndexHeads = 32, IndexRopeLayout = RopeLayout.Interleaved)]
internal sealed partial class Glm52Core;

[MlaAttention(HiddenSize = 16, Heads = 32, QLoraRank = 16, QkNopeHeadDim = 192, VHeadDim = 256, MaxPositionEmbeddings = 262144, RopeTheta = 1e7, RopeLayout = RopeLayout.HalfSplit,
    IndexTopK = 2048, IndexHeads = 16, IndexRopeLast = true)]
internal sealed partial class Hy4Core;

// The same without an indexer.

[MlaAttention(HiddenSize = 16, Heads = 128, QLoraRank = 16, MaxPositionEmbeddings = 163840)]
internal sealed partial class DeepSeekV32DenseCore;

[MlaAttention(HiddenSize = 16, Heads = 64, QLoraRank = 16, QkNopeHeadDim = 192, VHeadDim = 256, MaxPositionEmbeddings = 1048576, RopeTheta = 8e6)]
internal sealed partial class Glm52DenseCore;

[MlaAttention(HiddenSize = 16, Heads = 32, QLoraRank = 16, QkNopeHeadDim = 192, VHeadDim = 256, MaxPositionEmbeddings = 262144, RopeTheta = 1e7, RopeLayout = RopeLayout.HalfSplit)]
internal sealed partial class Hy4DenseCore;
