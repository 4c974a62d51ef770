// A buffer that is replaced by a longer one has no length to speak of.
using System;
using MlaGen;
using Models;

internal static class GrowingBuffer
{
    public static void Run(Attention layer, MlaBatch<Attention> batch)
    {
        float[] hidden = [];
        float[] output = new float[1];
        if (hidden.Length < batch.Rows * Attention.HiddenSize)
        {
            hidden = new float[batch.Rows * Attention.HiddenSize];
            Array.Resize(ref output, hidden.Length);
        }

        layer.Forward(batch, hidden, output);
    }
}
