using MlaGen;

namespace Explorer.Models;

// They bring machine code for every precision; what is measured names one.
// The same heads on a hidden state of 16: the projections around the attention all but vanish, and Forward times the attention alone.

[MlaAttention(HiddenSize = 16, Precision = MlaPrecision.Medium, Heads = 16, MaxPositionEmbeddings = 163840)]
internal sealed partial class DeepSeekV2LiteCore;

[MlaAttention(HiddenSize = 16, Precision = MlaPrecision.Medium, Heads = 20, QkNopeHeadDim = 192, VHeadDim = 256, MaxPositionEmbeddings = 202752)]
internal sealed partial class Glm47FlashCore;

[MlaAttention(HiddenSize = 16, Precision = MlaPrecision.Medium, Heads = 40, KvLoraRank = 256, QkNopeHeadDim = 64, QkRopeHeadDim = 32, VHeadDim = 64, MaxPositionEmbeddings = 32768, RopeLayout = RopeLayout.HalfSplit)]
internal sealed partial class MiniCpm3Core;

[MlaAttention(HiddenSize = 16, Precision = MlaPrecision.Medium, Heads = 64, MaxPositionEmbeddings = 131072)]
internal sealed partial class KimiK2Core;

[MlaAttention(HiddenSize = 16, Precision = MlaPrecision.Medium, Heads = 128, MaxPositionEmbeddings = 163840)]
internal sealed partial class DeepSeekV3Core;
