using MlaGen.Runtime;
using MlaGen.Tests.Attention;
using MlaGen.Tests.Golden;

namespace MlaGen.Tests.MachineCode;

/// <summary>Whole layers of bfloat16 weights at a precision: projections are products of one row and of many, and neither cuts nor threads may show.</summary>
public sealed class LayerPrecisionTests
{
    private const int Tokens = 77;
    private const int HiddenSize = 64;

    /// <summary>What an element of a row that is kept as its neighbour in bfloat16 moves outputs by.</summary>
    private const double MostWithOtherRows = 2e-4;

    [Theory]
    [InlineData(MlaPrecision.Medium, CacheFormat.BFloat16, 2e-2)]
    [InlineData(MlaPrecision.Medium, CacheFormat.Float32, 2e-2)]
    [InlineData(MlaPrecision.High, CacheFormat.BFloat16, 5e-5)]
    [InlineData(MlaPrecision.High, CacheFormat.Float32, 1e-5)]
    public void A_prompt_gives_the_same_bits_however_it_is_cut_and_is_near_to_the_highest_precision(MlaPrecision precision, CacheFormat format, double most)
    {
        InMemoryCheckpoint checkpoint = Checkpoint();
        float[] hidden = CounterRandom.Hidden("layer", Tokens, HiddenSize);
        (float[] expected, float[] rows) = Run(checkpoint, precision, format, hidden, Tokens, threads: 1);
        foreach (int threads in (int[])[1, 3])
        {
            foreach (int chunk in (int[])[Tokens, 1, 2, 5, 33])
            {
                Assert.Equal(expected, Run(checkpoint, precision, format, hidden, chunk, threads).Output);
            }
        }

        (float[] exact, float[] exactRows) = Run(checkpoint, MlaPrecision.Highest, format, hidden, Tokens, threads: 1);
        double error = Math.Sqrt(exact.Zip(expected).Sum(pair => Math.Pow(pair.First - pair.Second, 2)) / exact.Sum(value => (double)value * value));
        Assert.InRange(error, 0, precision == MlaPrecision.High && format == CacheFormat.BFloat16 && Neighbours(rows, exactRows) > 0 ? MostWithOtherRows : most);
        if (MlaCores.Of<Medium8Attention>(precision: precision).Projections.Single(core => core.Runs).Precision != MlaPrecision.Highest)
        {
            Assert.NotEqual(0, error);
        }
    }

    /// <summary>Elements of bfloat16 that high precision keeps as another number: very few, which what its products err by moved over the middle between two.</summary>
    private static int Neighbours(float[] rows, float[] exactRows)
    {
        const float ProductError = 1e-5f;

        // A step of bfloat16 is at most a hundred and twenty-eighth of a number; an error of a hundred-thousandth of the whole row crosses the middle of one in a few
        // hundred times, more often where elements are small. A rounded operand moves nearly every second element.
        (float Row, float Exact)[] others = [.. rows.Zip(exactRows).Where(static pair => pair.First != pair.Second)];
        Assert.All(others, static pair => Assert.InRange(Math.Abs(pair.Row - pair.Exact), 0, (Math.Abs(pair.Exact) / 128) + ProductError));
        Assert.InRange(others.Length, 0, rows.Length / 200);
        return others.Length;
    }

    private static (float[] Output, float[] Rows) Run(InMemoryCheckpoint checkpoint, MlaPrecision precision, CacheFormat format, float[] hidden, int chunk, int threads)
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

        return (output, AttentionRun.Rows(sequence, Medium8Attention.Shape.CacheRowElements));
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
