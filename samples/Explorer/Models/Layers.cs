using MlaGen;

namespace Explorer.Models;

// One class for each published shape, with the dimensions of its configuration.

[MlaAttention(HiddenSize = 2048, Heads = 16, MaxPositionEmbeddings = 163840,
    RopeScaling = RopeScaling.Yarn, RopeFactor = 40, OriginalMaxPositionEmbeddings = 4096, Mscale = 0.707, MscaleAllDim = 0.707)]
internal sealed partial class DeepSeekV2Lite;

[MlaAttention(HiddenSize = 2048, Heads = 20, QLoraRank = 768, QkNopeHeadDim = 192, VHeadDim = 256, MaxPositionEmbeddings = 202752, RopeTheta = 1000000)]
internal sealed partial class Glm47Flash;

[MlaAttention(HiddenSize = 2560, Heads = 40, QLoraRank = 768, KvLoraRank = 256, QkNopeHeadDim = 64, QkRopeHeadDim = 32, VHeadDim = 64, MaxPositionEmbeddings = 32768,
    RopeLayout = RopeLayout.HalfSplit, RopeScaling = RopeScaling.LongRope, RopeFactor = 1, OriginalMaxPositionEmbeddings = 32768,
    ShortFactor = new[]
    {
        1.0591234137867171, 1.1241891283591912, 1.2596935748670968, 1.5380380402321725, 2.093982484148734, 3.1446935121267696, 4.937952647693647, 7.524541999994549,
        10.475458000005451, 13.062047352306353, 14.85530648787323, 15.906017515851266, 16.461961959767827, 16.740306425132907, 16.87581087164081, 16.940876586213285,
    },
    LongFactor = new[]
    {
        1.0591234137867171, 1.1241891283591912, 1.2596935748670968, 1.5380380402321725, 2.093982484148734, 3.1446935121267696, 4.937952647693647, 7.524541999994549,
        10.475458000005451, 13.062047352306353, 14.85530648787323, 15.906017515851266, 16.461961959767827, 16.740306425132907, 16.87581087164081, 16.940876586213285,
    })]
internal sealed partial class MiniCpm3;

[MlaAttention(HiddenSize = 7168, Heads = 64, QLoraRank = 1536, MaxPositionEmbeddings = 131072,
    RopeTheta = 50000, RopeScaling = RopeScaling.Yarn, RopeFactor = 32, OriginalMaxPositionEmbeddings = 4096, BetaFast = 1, Mscale = 1, MscaleAllDim = 1)]
internal sealed partial class KimiK2;

[MlaAttention(HiddenSize = 7168, Heads = 128, QLoraRank = 1536, MaxPositionEmbeddings = 163840,
    RopeScaling = RopeScaling.Yarn, RopeFactor = 40, OriginalMaxPositionEmbeddings = 4096, Mscale = 1, MscaleAllDim = 1)]
internal sealed partial class DeepSeekV3;
