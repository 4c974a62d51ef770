using System.Runtime.InteropServices;
using System.Security.Cryptography;
using MlaGen;

// A prompt of seven tokens, then three tokens one by one: both forms of attention.
const int Prompt = 7;
const int Decoded = 3;

var weights = new Attention.Weights(
    new Attention.QAProj(Values(Attention.QAProj.Rows * Attention.QAProj.Columns, 1)),
    new Attention.QALayernorm(Values(Attention.QALayernorm.Length, 2)),
    new Attention.QBProj(Values(Attention.QBProj.Rows * Attention.QBProj.Columns, 3)),
    new Attention.KvAProjWithMqa(Values(Attention.KvAProjWithMqa.Rows * Attention.KvAProjWithMqa.Columns, 4)),
    new Attention.KvALayernorm(Values(Attention.KvALayernorm.Length, 5)),
    new Attention.KvBProj(Values(Attention.KvBProj.Rows * Attention.KvBProj.Columns, 6)),
    new Attention.OProj(Values(Attention.OProj.Rows * Attention.OProj.Columns, 7)));
var attention = new Attention(weights, layer: 0);

using LatentCache<Attention> cache = Attention.CreateCache(layers: 1, maxTokens: 64);
using LatentSequence sequence = cache.CreateSequence();
using MlaBatch<Attention> batch = cache.CreateBatch();
float[] hidden = Values((Prompt + Decoded) * Attention.HiddenSize, 8);
float[] output = new float[hidden.Length];
for (int first = 0; first < Prompt + Decoded;)
{
    int count = first == 0 ? Prompt : 1;
    batch.Add(sequence, count);
    attention.Forward(
        batch,
        hidden.AsSpan(first * Attention.HiddenSize, count * Attention.HiddenSize),
        output.AsSpan(first * Attention.HiddenSize, count * Attention.HiddenSize));
    batch.Commit();
    first += count;
}

Console.WriteLine($"tier {SimdTiers.Current}");
Console.WriteLine($"output {Convert.ToHexString(SHA256.HashData(MemoryMarshal.AsBytes(output.AsSpan())))}");
return Array.TrueForAll(output, float.IsFinite) && Array.Exists(output, static value => value != 0) ? 0 : 1;

// Numbers between -1 and 1 that are the same everywhere.
static float[] Values(int count, uint seed)
{
    float[] values = new float[count];
    uint state = seed * 2654435769;
    for (int i = 0; i < count; i++)
    {
        state = (state * 1664525) + 1013904223;
        values[i] = ((state >> 8) * (2f / (1 << 24))) - 1;
    }

    return values;
}

[MlaAttention(HiddenSize = 64, Heads = 6, QLoraRank = 48, KvLoraRank = 40, QkNopeHeadDim = 24, QkRopeHeadDim = 16, VHeadDim = 20)]
internal sealed partial class Attention;
