// Weights that come from elsewhere than a checkpoint.
using System;
using MlaGen;
using Models;

internal static class WeightsInMemory
{
    public static Attention Make(Func<string, int, float[]> read, int layer)
    {
        float[] output = new float[Attention.OProj.Rows * Attention.OProj.Columns];
        read("o_proj", output.Length).CopyTo(output, 0);
        return new Attention(
            new Attention.Weights(
                new Attention.QAProj(read("q_a_proj", Attention.QAProj.Rows * Attention.QAProj.Columns)),
                new Attention.QALayernorm(new float[Attention.QLoraRank]),
                new Attention.QBProj(new float[384 * 128]),
                new Attention.KvAProjWithMqa(new float[Attention.CacheRowElements * Attention.HiddenSize]),
                new Attention.KvALayernorm(stackalloc float[Attention.KvLoraRank]),
                new Attention.KvBProj(new float[Attention.Heads * (Attention.QkNopeHeadDim + Attention.VHeadDim) * Attention.KvLoraRank].AsMemory()),
                new Attention.OProj(output)),
            layer);
    }

    public static Other.KvAProjWithMqa WithBias(float[] weights) => new(weights, new float[Other.KvAProjWithMqa.Rows]);
}
