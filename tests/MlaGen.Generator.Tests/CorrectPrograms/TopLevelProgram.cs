// A whole program.
using System;
using MlaGen;
using Models;

const int Layers = 2;
using LatentCache<Attention> cache = Attention.CreateCache(Layers, maxTokens: 64);
using LatentSequence sequence = cache.CreateSequence();
using MlaBatch<Attention> batch = cache.CreateBatch();
using Checkpoint checkpoint = Checkpoint.Open(args[0]);

float[] hidden = new float[3 * Attention.HiddenSize];
batch.Add(sequence, 3);
for (int layer = 0; layer < Layers; layer++)
{
    new Attention(Attention.Weights.Load(checkpoint, $"model.layers.{layer}.self_attn."), layer).Forward(batch, hidden, hidden);
}

batch.Commit();
Console.WriteLine(sequence.Length);
