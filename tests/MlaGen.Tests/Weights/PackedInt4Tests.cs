using System.Buffers.Binary;
using System.Runtime.InteropServices;
using MlaGen.Runtime;

namespace MlaGen.Tests.Weights;

/// <summary>Weights as compressed-tensors packs them in four bits.</summary>
public class PackedInt4Tests
{
    private const string Name = "experts.0.up_proj";
    private const int Outputs = 37;

    [Theory]
    [InlineData(TensorType.BFloat16, 256, 32)]
    [InlineData(TensorType.BFloat16, 300, 32)]
    [InlineData(TensorType.BFloat16, 300, 64)]
    [InlineData(TensorType.Float16, 257, 32)]
    [InlineData(TensorType.Float16, 300, 128)]
    [InlineData(TensorType.BFloat16, 300, 96)]
    [InlineData(TensorType.BFloat16, 300, 300)]
    [InlineData(TensorType.Float16, 20, 20)]
    public void A_weight_is_its_code_times_its_scale_and_stays_so_whatever_is_asked_for(TensorType type, int inputs, int group)
    {
        (InMemoryCheckpoint checkpoint, float[] weights) = Packed(type, inputs, group);
        foreach (WeightFormat format in new[] { WeightFormat.Stored, WeightFormat.Int8Group32 })
        {
            Linear linear = Linear.Load(checkpoint, Name, inputs, Outputs, format: format);

            Assert.Equal((WeightFormat.Stored, TensorType.Int32), (linear.Format, linear.Type));
            float[] row = new float[inputs];
            for (int output = 0; output < Outputs; output++)
            {
                linear.ReadWeights(output, row);
                Assert.Equal(weights[(output * inputs)..((output + 1) * inputs)], row);
            }

            Random random = new(3);
            float[] x = [.. Enumerable.Range(0, 13 * inputs).Select(_ => random.NextSingle() - 0.5f)];
            float[] y = new float[13 * Outputs];
            float[] alone = new float[13 * Outputs];
            linear.Multiply(x, y, 13);
            for (int r = 0; r < 13; r++)
            {
                linear.Multiply(x.AsSpan(r * inputs, inputs), alone.AsSpan(r * Outputs, Outputs), 1);
                for (int output = 0; output < Outputs; output++)
                {
                    double sum = Enumerable.Range(0, inputs).Sum(k => (double)x[(r * inputs) + k] * weights[(output * inputs) + k]);
                    Assert.Equal(sum, y[(r * Outputs) + output], 1e-5 * Math.Sqrt(inputs));
                }
            }

            Assert.Equal(alone, y);
        }
    }

    [Theory]
    [InlineData(null, "_shape", "is missing")]
    [InlineData(null, "_scale", "is missing")]
    [InlineData("_zero_point", null, "is surplus")]
    [InlineData("_g_idx", null, "is surplus")]
    [InlineData("", null, "is surplus")]
    public void Parts_that_are_missing_or_surplus_are_refused(string? surplus, string? missing, string problem)
    {
        InMemoryCheckpoint checkpoint = Packed(TensorType.BFloat16, 64, 32, without: missing).Checkpoint;
        if (surplus is not null)
        {
            checkpoint.Add($"{Name}.weight{surplus}", [Outputs, 2], new float[Outputs * 2]);
        }

        CheckpointException error = Assert.Throws<CheckpointException>(() => Linear.Load(checkpoint, Name, 64, Outputs));
        Assert.Contains($"{Name}.weight{surplus}{missing}' {problem}", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(72, Outputs, "does not fit: expected I32 [37, ⌈72/8⌉], found I32 [37, 8]")]
    [InlineData(64, 36, "does not fit: expected I32 [36, ⌈64/8⌉], found I32 [37, 8]")]
    [InlineData(63, Outputs, "says [37, 64]; expected [37, 63]")]
    public void Another_shape_is_refused(int inputs, int outputs, string problem) =>
        Assert.Contains(problem, Assert.Throws<CheckpointException>(() => Linear.Load(Packed(TensorType.BFloat16, 64, 32).Checkpoint, Name, inputs, outputs)).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData(TensorType.Float32, 32, "does not fit: expected BF16 or F16 [37, ⌈64/group⌉] with groups of a multiple of 32, found F32 [37, 2]")]
    [InlineData(TensorType.BFloat16, 16, "found BF16 [37, 4]")]
    [InlineData(TensorType.BFloat16, 32, "has the value NaN at [0, 0]; expected a finite scale", float.NaN)]
    public void Scales_that_cannot_be_are_refused(TensorType type, int group, string problem, float scale = 1) =>
        Assert.Contains(problem, Assert.Throws<CheckpointException>(() => Linear.Load(Packed(type, 64, group, scale: scale).Checkpoint, Name, 64, Outputs)).Message, StringComparison.Ordinal);

    /// <summary>Random codes and scales, and what they stand for.</summary>
    private static (InMemoryCheckpoint Checkpoint, float[] Weights) Packed(TensorType type, int inputs, int group, string? without = null, float scale = 1)
    {
        Random random = new(1);
        int words = (inputs + 7) / 8;
        int groups = (inputs + group - 1) / group;
        InMemoryCheckpoint rounded = new();
        float[] scales = [.. Enumerable.Range(0, Outputs * groups).Select(_ => (random.NextSingle() + 0.1f) / 64)];
        scales[0] *= scale;
        rounded.Add("scales", [Outputs, groups], scales, type);
        Assert.True(rounded.TryGetTensor("scales", out CheckpointTensor? tensor));
        byte[] bytes = new byte[scales.Length * type.Size()];
        tensor.Read(0, bytes);
        scales = type == TensorType.Float32 ? scales
            : [.. MemoryMarshal.Cast<byte, ushort>(bytes).ToArray().Select(code => type == TensorType.Float16 ? (float)BitConverter.UInt16BitsToHalf(code) : BitConverter.Int32BitsToSingle(code << 16))];
        uint[] packed = new uint[Outputs * words];
        float[] weights = new float[Outputs * inputs];
        for (int output = 0; output < Outputs; output++)
        {
            for (int k = 0; k < inputs; k++)
            {
                int code = random.Next(-8, 8);
                packed[(output * words) + (k / 8)] |= (uint)(code + 8) << (k % 8 * 4);
                weights[(output * inputs) + k] = code * scales[(output * groups) + (k / group)];
            }
        }

        byte[] shape = new byte[2 * sizeof(long)];
        BinaryPrimitives.WriteInt64LittleEndian(shape, Outputs);
        BinaryPrimitives.WriteInt64LittleEndian(shape.AsSpan(sizeof(long)), inputs);
        InMemoryCheckpoint checkpoint = new();
        foreach ((string part, TensorType partType, long[] dimensions, byte[] data) in new[]
        {
            ("_packed", TensorType.Int32, new long[] { Outputs, words }, MemoryMarshal.AsBytes(packed.AsSpan()).ToArray()),
            ("_scale", type, new long[] { Outputs, groups }, bytes),
            ("_shape", TensorType.Int64, new long[] { 2 }, shape),
        })
        {
            if (part != without)
            {
                checkpoint.Add($"{Name}.weight{part}", partType, dimensions, data);
            }
        }

        return (checkpoint, weights);
    }
}
