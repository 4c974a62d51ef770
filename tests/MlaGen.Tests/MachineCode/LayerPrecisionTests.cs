using MlaGen.Runtime;
using MlaGen.Tests.Golden;

namespace MlaGen.Tests.MachineCode;

/// <summary>Whole layers of bfloat16 weights at a precision: projections are products of one row and of many, and neither cuts nor threads may show.</summary>
public sealed class LayerPrecisionTests
{
    private const int Tokens = 77;
    private const int HiddenSize = 64;

    // Rows of floats hold high precision to what its products err by; where a row is kept in bfloat16, an element between two numbers may be kept as the other one.
    [Theory]
    [InlineData(MlaPrecision.Medium, CacheFormat.BFloat16, 2e-2)]
    [InlineData(MlaPrecision.Medium, CacheFormat.Float32, 2e-2)]
    [InlineData(MlaPrecision.High, CacheFormat.BFloat16, 2e-4)]
    [InlineData(MlaPrecision.High, CacheFormat.Float32, 1e-5)]
    public void A_prompt_gives_the_same_bits_however_it_is_cut_and_is_near_to_the_highest_precision(MlaPrecision precision, CacheFormat format, double most)
    {
        InMemoryCheckpoint checkpoint = Checkpoint();
        float[] hidden = CounterRandom.Hidden("layer", Tokens, HiddenSize);
        float[] expected = Run(checkpoint, precision, format, hidden, Tokens, threads: 1);
        foreach (int threads in (int[])[1, 3])
        {
            foreach (int chunk in (int[])[Tokens, 1, 2, 5, 33])
            {
                Assert.Equal(expected, Run(checkpoint, precision, format, hidden, chunk, threads));
            }
        }

        float[] exact = Run(checkpoint, MlaPrecision.Highest, format, hidden, Tokens, threads: 1);
        double error = Math.Sqrt(exact.Zip(expected).Sum(pair => Math.Pow(pair.First - pair.Second, 2)) / exact.Sum(value => (double)value * value));
        Assert.InRange(error, 0, most);
        if (MlaCores.Of<Medium8Attention>(precision: precision).Projections.Single(core => core.Runs).Precision != MlaPrecision.Highest)
        {
            Assert.NotEqual(0, error);
        }
    }

    private static float[] Run(InMemoryCheckpoint checkpoint, MlaPrecision precision, CacheFormat format, float[] hidden, int chunk, int threads)
    {
        using var executor = new MlaExecutor(threads);
        var layer = Medium8Attention.Load(checkpoint, "", layer: 0);
        using LatentCache<Medium8Attention> cache = Medium8Attention.CreateCache(1, 128, new LatentCacheOptions { Format = format, Precision = precision });
        using LatentSequence sequence = cache.CreateSequence();
        using MlaBatch<Medium8Attention> batch = cache.CreateBatch(executor);
        Assert.Equal(precision, batch.Precision);
        batch.Form = MlaForm.Absorbed;
        float[] output = new float[hidden.Length];
        for (int first = 0; first < Tokens; first += chunk)
        {
            int count = Math.Min(chunk, Tokens - first);
            batch.Add(sequence, count);
            layer.Forward(batch, hidden.AsSpan(first * HiddenSize, count * HiddenSize), output.AsSpan(first * HiddenSize, count * HiddenSize));
            batch.Commit();
        }

        return output;
    }

    private static InMemoryCheckpoint Checkpoint()
    {
        MlaShape shape = Medium8Attention.Shape;
        InMemoryCheckpoint checkpoint = new();
        Add("q_proj.weight", shape.Heads * shape.QkHeadDim, HiddenSize);
        Add("kv_a_proj_with_mqa.weight", shape.CacheRowElements, HiddenSize);
        Add("kv_b_proj.weight", shape.Heads * (shape.QkNopeHeadDim + shape.VHeadDim), shape.KvLoraRank);
        Add("o_proj.weight", HiddenSize, shape.Heads * shape.VHeadDim);
        checkpoint.Add("kv_a_layernorm.weight", [shape.KvLoraRank], [.. Enumerable.Repeat(1f, shape.KvLoraRank)], TensorType.BFloat16);
        return checkpoint;

        void Add(string name, int rows, int columns)
            => checkpoint.Add(name, [rows, columns], [.. CounterRandom.Hidden(name, rows, columns).Select(value => value / MathF.Sqrt(columns))], TensorType.BFloat16);
    }
}
