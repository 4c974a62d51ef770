// Buffers of a pool are longer than what was asked for: slices have the length that counts.
using System;
using System.Buffers;
using MlaGen;
using Models;

internal static class RentedBuffers
{
    public static void Run(Attention layer, MlaBatch<Attention> batch)
    {
        int floats = batch.Rows * Attention.HiddenSize;
        float[] buffer = ArrayPool<float>.Shared.Rent(2 * floats);
        try
        {
            Span<float> both = buffer.AsSpan(0, 2 * floats);
            layer.Forward(batch, both[..floats], both[floats..]);
        }
        finally
        {
            ArrayPool<float>.Shared.Return(buffer);
        }
    }
}
