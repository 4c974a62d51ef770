// Two classes side by side, told apart by their types.
using System;
using MlaGen;
using Models;

internal static class TwoModels
{
    public static object Make(object weights, int layer) => weights switch
    {
        Attention.Weights mine => new Attention(mine, layer),
        Other.Weights theirs => new Other(theirs, layer),
        _ => throw new ArgumentException("These are no weights.", nameof(weights)),
    };

    public static Attention? MakeIfMine(ICheckpoint checkpoint, bool isOther)
    {
        object weights = isOther ? Other.Weights.Load(checkpoint, "self_attn.") : Attention.Weights.Load(checkpoint, "self_attn.");
        return weights is Attention.Weights ? new Attention((Attention.Weights)weights, 0) : null;
    }

    public static void Run(Attention attention, MlaBatch<Attention> batch, Other other, MlaBatch<Other> otherBatch)
    {
        attention.Forward(batch, new float[Attention.HiddenSize], new float[256]);
        other.Forward(otherBatch, new float[Other.HiddenSize], new float[64]);
    }
}
