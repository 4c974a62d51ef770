using MlaGen.Runtime;

namespace MlaGen.Tests.Weights;

public class LinearTests
{
    private const string Name = "model.layers.0.mlp.gate_proj";

    [Theory]
    [InlineData(1, 1, 1, false)]
    [InlineData(3, 495, 256, true)]
    [InlineData(4, 128, 256, false)]
    [InlineData(7, 33, 300, true)]
    [InlineData(500, 129, 17, true)]
    public void Rows_are_multiplied_as_written_out(int count, int outputs, int inputs, bool biased)
    {
        float[] weight = Values(outputs * inputs, seed: 1);
        float[] bias = biased ? Values(outputs, seed: 4) : [];
        Linear linear = new(inputs, outputs, weight, bias);
        float[] x = Values(count * inputs, seed: 2);

        float[] y = Multiply(linear, x, count);

        Assert.Equal(bias, linear.Bias);
        for (int row = 0; row < count; row++)
        {
            for (int output = 0; output < outputs; output++)
            {
                double sum = biased ? bias[output] : 0;
                for (int k = 0; k < inputs; k++)
                {
                    sum += (double)x[(row * inputs) + k] * weight[(output * inputs) + k];
                }

                Assert.Equal(sum, y[(row * outputs) + output], 1e-5 * Math.Sqrt(inputs));
            }
        }
    }

    [Theory]
    [InlineData(TensorType.Float32)]
    [InlineData(TensorType.Float16)]
    [InlineData(TensorType.BFloat16)]
    [InlineData(TensorType.Float32, WeightFormat.Int8Group32)]
    [InlineData(TensorType.BFloat16, WeightFormat.Int8Group64)]
    [InlineData(TensorType.Float16, WeightFormat.Int4Group32)]
    [InlineData(TensorType.BFloat16, WeightFormat.Int4Group64)]
    public void A_row_has_the_same_bits_alone_among_any_number_of_others_and_on_any_number_of_threads(TensorType type, WeightFormat format = WeightFormat.Stored)
    {
        // Enough for several units of every product, and for several chunks of rows.
        const int Count = 500;
        const int Inputs = 300;
        const int Outputs = 601;
        InMemoryCheckpoint checkpoint = new();
        checkpoint.Add(Name + ".weight", [Outputs, Inputs], Values(Outputs * Inputs, seed: 1), type);
        checkpoint.Add(Name + ".bias", [Outputs], Values(Outputs, seed: 2), type);
        Linear linear = Linear.Load(checkpoint, Name, Inputs, Outputs, bias: true, format);
        float[] x = Values(Count * Inputs, seed: 3);
        float[] together = Multiply(linear, x, Count);
        float[] alone = new float[Count * Outputs];
        for (int row = 0; row < Count; row++)
        {
            linear.Multiply(x.AsSpan(row * Inputs, Inputs), alone.AsSpan(row * Outputs, Outputs), 1);
        }

        Assert.Equal(alone, together);
        foreach (int threads in new[] { 1, 2, 5 })
        {
            using MlaExecutor executor = new(threads);
            foreach (int count in new[] { Count, 7, 3 })
            {
                float[] shared = new float[count * Outputs];
                linear.Multiply(x.AsSpan(0, count * Inputs), shared, count, executor);
                Assert.Equal(alone[..shared.Length], shared);
            }
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void Few_rows_of_a_large_layer_have_the_same_bits_on_any_number_of_threads(int count)
    {
        const int Inputs = 300;
        const int Outputs = 4001;
        Linear linear = new(Inputs, Outputs, Values(Outputs * Inputs, seed: 1), Values(Outputs, seed: 2));
        float[] x = Values(count * Inputs, seed: 3);
        float[] expected = Multiply(linear, x, count);
        foreach (int threads in new[] { 2, 5 })
        {
            using MlaExecutor executor = new(threads);
            float[] shared = new float[count * Outputs];
            linear.Multiply(x, shared, count, executor);
            Assert.Equal(expected, shared);
        }
    }

    [Theory]
    [InlineData(TensorType.Float32, 4 * 300)]
    [InlineData(TensorType.Float16, 2 * 300)]
    [InlineData(TensorType.BFloat16, 2 * 300)]
    [InlineData(TensorType.Float8E4M3, 300 + (3 * sizeof(float)))]
    public void A_loaded_layer_computes_what_the_same_values_do_as_floats(TensorType stored, int rowBytes)
    {
        const int Inputs = 300;
        const int Outputs = 200;

        // Values that every one of the types holds exactly, with its scales.
        float[] weight = [.. Values(Outputs * Inputs, seed: 1).Select(value => MathF.Round(value * 16) / 8)];
        InMemoryCheckpoint checkpoint = new();
        checkpoint.Add(Name + ".weight", [Outputs, Inputs], weight, stored);
        if (stored == TensorType.Float8E4M3)
        {
            checkpoint.Add(Name + ".weight_scale_inv", [2, 3], [1, 2, 4, 0.5f, 0.25f, 8]);
            float[] scales = [1, 2, 4, 0.5f, 0.25f, 8];
            weight = [.. weight.Select((value, i) => value * scales[(i / Inputs / 128 * 3) + (i % Inputs / 128)])];
        }

        Linear loaded = Linear.Load(checkpoint, Name, Inputs, Outputs);
        Linear floats = new(Inputs, Outputs, weight);

        Assert.Equal((Inputs, Outputs, stored), (loaded.InFeatures, loaded.OutFeatures, loaded.Type));
        Assert.Equal(208L * rowBytes, loaded.Bytes);
        Assert.True(loaded.Bias.IsEmpty);
        foreach (int count in new[] { 1, 13 })
        {
            float[] x = Values(count * Inputs, seed: 2);
            Assert.Equal(Multiply(floats, x, count), Multiply(loaded, x, count));
        }
    }

    [Theory]
    [InlineData(WeightFormat.Int8Group32, 32, 0.5 / 127)]
    [InlineData(WeightFormat.Int8Group64, 64, 0.5 / 127)]
    [InlineData(WeightFormat.Int4Group32, 32, 1.0 / 8)]
    [InlineData(WeightFormat.Int4Group64, 64, 1.0 / 8)]
    public void Weights_of_few_bits_are_within_a_step_of_their_group(WeightFormat format, int group, double step)
    {
        // Neither is a whole number of groups, nor of panels.
        const int Inputs = 300;
        const int Outputs = 37;
        float[] weight = Values(Outputs * Inputs, seed: 1);
        InMemoryCheckpoint checkpoint = new();
        checkpoint.Add(Name + ".weight", [Outputs, Inputs], weight);
        Linear linear = Linear.Load(checkpoint, Name, Inputs, Outputs, format: format);

        // The identity: what comes out are the weights.
        float[] x = new float[Inputs * Inputs];
        for (int k = 0; k < Inputs; k++)
        {
            x[k * (Inputs + 1)] = 1;
        }

        float[] y = Multiply(linear, x, Inputs);

        Assert.Equal(format, linear.Format);
        HashSet<float> levels = [];
        for (int output = 0; output < Outputs; output++)
        {
            for (int k = 0; k < Inputs; k++)
            {
                int first = k / group * group;
                float largest = weight.AsSpan((output * Inputs) + first, Math.Min(group, Inputs - first)).ToArray().Max(MathF.Abs);
                Assert.Equal(weight[(output * Inputs) + k], y[(k * Outputs) + output], largest * (step + 0.001));
                if (output == 0 && k < group)
                {
                    levels.Add(y[k * Outputs]);
                }
            }
        }

        Assert.InRange(levels.Count, 6, format is WeightFormat.Int4Group32 or WeightFormat.Int4Group64 ? 16 : group);
    }

    [Theory]
    [InlineData(WeightFormat.Int8Group32, 32, 127, false)]
    [InlineData(WeightFormat.Int8Group64, 64, 127, false)]
    [InlineData(WeightFormat.Int4Group32, 32, 8, true)]
    [InlineData(WeightFormat.Int4Group64, 64, 8, true)]
    public void Weights_of_few_bits_are_those_of_the_rule_and_are_read_as_they_are_multiplied(WeightFormat format, int group, int steps, bool hasSign)
    {
        const int Inputs = 300;
        const int Outputs = 37;
        float[] weight = Values(Outputs * Inputs, seed: 1);
        weight.AsSpan(5 * Inputs, group).Clear();
        weight[6 * Inputs] = -(weight[(6 * Inputs) + 1] = 0.75f);
        InMemoryCheckpoint checkpoint = new();
        checkpoint.Add(Name + ".weight", [Outputs, Inputs], weight);
        Linear linear = Linear.Load(checkpoint, Name, Inputs, Outputs, format: format);
        float[] row = new float[Inputs];
        for (int output = 0; output < Outputs; output++)
        {
            linear.ReadWeights(output, row);
            for (int first = 0; first < Inputs; first += group)
            {
                float[] values = weight[((output * Inputs) + first)..((output * Inputs) + Math.Min(first + group, Inputs))];
                float largest = values.MaxBy(MathF.Abs);
                float scale = (float)(Half)(hasSign ? largest / -steps : MathF.Abs(largest) / steps);
                float inverse = scale == 0 ? 0 : 1 / scale;
                Assert.Equal(
                    values.Select(value => Math.Clamp(MathF.Round(value * inverse), -steps, hasSign ? steps - 1 : steps) * scale),
                    row.AsSpan(first, values.Length).ToArray());
            }
        }

        Assert.Throws<ArgumentOutOfRangeException>("output", () => linear.ReadWeights(Outputs, row));
        Assert.Throws<ArgumentException>("weights", () => linear.ReadWeights(0, row.AsSpan(1)));
    }

    [Theory]
    [InlineData(TensorType.Float32)]
    [InlineData(TensorType.BFloat16)]
    [InlineData(TensorType.Float16)]
    [InlineData(TensorType.Float8E4M3)]
    public void Stored_weights_are_read_as_they_are_stored(TensorType type)
    {
        const int Inputs = 300;
        InMemoryCheckpoint checkpoint = new();
        byte[] codes = [.. Enumerable.Range(0, 256).Select(static code => (byte)((code & 0x7F) == 0x7F ? 0 : code))];
        float[] values = [.. Enumerable.Range(0, 20 * Inputs).Select(i => Float8E4M3.ToSingle(codes[i * 7 % 256]))];
        checkpoint.Add(Name + ".weight", [20, Inputs], values, type);
        if (type == TensorType.Float8E4M3)
        {
            checkpoint.Add(Name + ".weight_scale", [20], [.. Enumerable.Range(1, 20).Select(static i => i / 16f)]);
        }

        Linear linear = Linear.Load(checkpoint, Name, Inputs, 20);

        float[] row = new float[Inputs];
        for (int output = 0; output < 20; output++)
        {
            linear.ReadWeights(output, row);
            float scale = type == TensorType.Float8E4M3 ? (output + 1) / 16f : 1;
            Assert.Equal(values[(output * Inputs)..((output + 1) * Inputs)].Select(value => value * scale), row);
        }
    }

    [Theory]
    [InlineData(WeightFormat.Stored, MlaPrecision.Highest)]
    [InlineData(WeightFormat.Stored, MlaPrecision.High)]
    [InlineData(WeightFormat.Stored, MlaPrecision.Medium)]
    [InlineData(WeightFormat.Int4Group32, MlaPrecision.Highest)]
    public void A_row_of_each_of_several_layers_has_the_bits_of_each_alone(WeightFormat format, MlaPrecision precision)
    {
        (int Inputs, int Outputs)[] shapes = [(300, 601), (64, 4001), (1, 1), (513, 16), (300, 2900)];
        InMemoryCheckpoint checkpoint = new();
        Linear[] layers = new Linear[shapes.Length];
        for (int i = 0; i < shapes.Length; i++)
        {
            checkpoint.Add($"{i}.weight", [shapes[i].Outputs, shapes[i].Inputs], Values(shapes[i].Outputs * shapes[i].Inputs, seed: i), TensorType.BFloat16);
            checkpoint.Add($"{i}.bias", [shapes[i].Outputs], Values(shapes[i].Outputs, seed: 100 + i));
            layers[i] = Linear.Load(checkpoint, $"{i}", shapes[i].Inputs, shapes[i].Outputs, bias: true, format);
        }

        float[] x = Values(shapes.Sum(static shape => shape.Inputs), seed: 50);
        float[] expected = new float[shapes.Sum(static shape => shape.Outputs)];
        int input = 0;
        int output = 0;
        foreach (Linear layer in layers)
        {
            layer.Multiply(x.AsSpan(input, layer.InFeatures), expected.AsSpan(output, layer.OutFeatures), 1, MlaExecutor.Shared, precision);
            input += layer.InFeatures;
            output += layer.OutFeatures;
        }

        foreach (int threads in new[] { 1, 2, 5 })
        {
            using MlaExecutor executor = new(threads);
            float[] y = new float[expected.Length];
            Linear.MultiplyEach(layers, x, y, executor, precision);
            Assert.Equal(expected, y);
            Linear.MultiplyEach(layers.AsSpan(2, 1), x.AsSpan(364, 1), y.AsSpan(4602, 1), executor, precision);
            Assert.Equal(expected, y);
        }

        Assert.Throws<ArgumentException>("inputs", () => Linear.MultiplyEach(layers, x.AsSpan(1), expected, MlaExecutor.Shared, precision));
        Assert.Throws<ArgumentException>("outputs", () => Linear.MultiplyEach(layers, x, expected.AsSpan(1), MlaExecutor.Shared, precision));
        Assert.Throws<ArgumentException>("outputs", () => Linear.MultiplyEach(layers.AsSpan(2, 1), x.AsSpan(0, 1), x.AsSpan(0, 1), MlaExecutor.Shared, precision));
    }

    [Fact]
    public void Of_several_rows_that_cannot_be_kept_the_first_is_told_whatever_threads_do()
    {
        const int Inputs = 1024;
        const int Outputs = 3000;
        float[] weight = Values(Inputs * Outputs, seed: 1);
        foreach (int row in new[] { 2900, 700, 1500, 701 })
        {
            weight[row * Inputs] = float.NaN;
        }

        InMemoryCheckpoint checkpoint = new();
        checkpoint.Add(Name + ".weight", [Outputs, Inputs], weight);
        for (int run = 0; run < 20; run++)
        {
            Assert.Contains("row 700 ", Assert.Throws<CheckpointException>(() => Linear.Load(checkpoint, Name, Inputs, Outputs, format: WeightFormat.Int8Group64)).Message, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData(float.NaN, "has a value in row 2 that is not finite")]
    [InlineData(float.PositiveInfinity, "has a value in row 2 that is not finite")]
    [InlineData(1e9f, "cannot be kept as Int4Group32: 1E+09 has no scale of half precision")]
    public void A_weight_that_has_no_scale_is_refused(float value, string problem)
    {
        float[] weight = new float[5 * 40];
        weight[(2 * 40) + 33] = value;
        InMemoryCheckpoint checkpoint = new();
        checkpoint.Add(Name + ".weight", [5, 40], weight);

        Assert.Equal(
            $"memory: tensor '{Name}.weight' {problem}", Assert.Throws<CheckpointException>(() => Linear.Load(checkpoint, Name, 40, 5, format: WeightFormat.Int4Group32)).Message);
    }

    [Fact]
    public void A_checkpoint_that_does_not_fit_is_refused_by_name_and_shape()
    {
        InMemoryCheckpoint checkpoint = new();
        checkpoint.Add("swapped.weight", [3, 5], new float[15]);
        checkpoint.Add("surplus.weight", [5, 3], new float[15]);
        checkpoint.Add("surplus.bias", [5], new float[5]);
        checkpoint.Add("bare.weight", [5, 3], new float[15]);
        checkpoint.Add("long.weight", [5, 3], new float[15]);
        checkpoint.Add("long.bias", [3], new float[3]);
        checkpoint.Add("self_attn.o_proj.weight", [5, 3], new float[15]);
        checkpoint.Add("int8.weight", TensorType.Int8, [5, 3], new byte[15]);

        Refused("absent", bias: false, "memory: tensor 'absent.weight' is missing; expected [5, 3] = [outFeatures, inFeatures], BF16, F16, F32 or scaled F8_E4M3");
        Refused("swapped", bias: false, "memory: tensor 'swapped.weight' has the wrong shape: expected [5, 3] = [outFeatures, inFeatures], found F32 [3, 5]");
        Refused("surplus", bias: false, "memory: tensor 'surplus.bias' is surplus: expected none because bias is false, found F32 [5]");
        Refused("bare", bias: true, "memory: tensor 'bare.bias' is missing; expected [5] = [outFeatures], BF16, F16 or F32");
        Refused("self_attn.o_proj", bias: true, "memory: tensor 'self_attn.o_proj.bias' is missing; expected [5] = [outFeatures], BF16, F16 or F32");
        Refused("long", bias: true, "memory: tensor 'long.bias' has the wrong shape: expected [5] = [outFeatures], found F32 [3]");
        Refused("int8", bias: false, "memory: tensor 'int8.weight' has the wrong type: expected BF16, F16, F32 or scaled F8_E4M3, found I8 [5, 3]");
        Assert.Equal([1, 2, 3, 4, 5], Load("surplus").Bias.ToArray().Select((value, i) => value + i + 1));

        void Refused(string name, bool bias, string message) =>
            Assert.Equal(message, Assert.Throws<CheckpointException>(() => Linear.Load(checkpoint, name, inFeatures: 3, outFeatures: 5, bias)).Message);

        Linear Load(string name) => Linear.Load(checkpoint, name, inFeatures: 3, outFeatures: 5, bias: true);
    }

    [Fact]
    public void Arguments_that_do_not_fit_are_refused_by_name()
    {
        InMemoryCheckpoint checkpoint = new();
        Assert.Throws<ArgumentNullException>("checkpoint", () => Linear.Load(null!, Name, 3, 5));
        Assert.Throws<ArgumentNullException>("name", () => Linear.Load(checkpoint, null!, 3, 5));
        Assert.Throws<ArgumentException>("name", () => Linear.Load(checkpoint, string.Empty, 3, 5));
        Assert.Throws<ArgumentOutOfRangeException>("inFeatures", () => Linear.Load(checkpoint, Name, 0, 5));
        Assert.Throws<ArgumentOutOfRangeException>("outFeatures", () => Linear.Load(checkpoint, Name, 3, -5));
        Assert.Throws<ArgumentOutOfRangeException>("inFeatures", () => new Linear(-3, 5, new float[15]));
        Assert.Throws<ArgumentOutOfRangeException>("outFeatures", () => new Linear(3, 0, Array.Empty<float>()));
        Assert.StartsWith(
            "weight takes [outFeatures, inFeatures] = [5, 3], that is 15 values; found 14.", Assert.Throws<ArgumentException>("weight", () => new Linear(3, 5, new float[14])).Message, StringComparison.Ordinal);
        Assert.StartsWith(
            "bias takes [outFeatures] = [5], that is 5 values; found 3.", Assert.Throws<ArgumentException>("bias", () => new Linear(3, 5, new float[15], new float[3])).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(5, 8, "inputs", "inputs takes [count, InFeatures] = [2, 3], that is 6 values; found 5.")]
    [InlineData(6, 9, "outputs", "outputs takes [count, OutFeatures] = [2, 4], that is 8 values; found 9.")]
    public void Spans_of_another_length_are_refused(int inputs, int outputs, string name, string message)
    {
        Linear linear = new(3, 4, Values(12, seed: 1));
        using MlaExecutor executor = new(1);

        Assert.StartsWith(message, Assert.Throws<ArgumentException>(name, () => linear.Multiply(new float[inputs], new float[outputs], 2)).Message, StringComparison.Ordinal);
        Assert.StartsWith(message, Assert.Throws<ArgumentException>(name, () => linear.Multiply(new float[inputs], new float[outputs], 2, executor)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Outputs_over_their_inputs_and_a_negative_count_are_refused_and_nothing_is_written()
    {
        Linear linear = new(4, 4, Values(16, seed: 1));
        float[] memory = Values(12, seed: 2);
        float[] before = [.. memory];

        Assert.Throws<ArgumentException>("outputs", () => linear.Multiply(memory.AsSpan(0, 8), memory.AsSpan(4, 8), 2));
        Assert.Throws<ArgumentOutOfRangeException>("count", () => linear.Multiply([], [], -1));
        linear.Multiply([], [], 0);

        Assert.Equal(before, memory);
    }

    [Fact]
    public void A_cancelled_product_ends_and_the_next_one_is_right()
    {
        Linear linear = new(300, 601, Values(300 * 601, seed: 1));
        float[] x = Values(20 * 300, seed: 2);
        float[] y = new float[20 * 601];
        using MlaExecutor executor = new(2);

        Assert.Throws<OperationCanceledException>(() => linear.Multiply(x, y, 20, executor, cancellationToken: new CancellationToken(canceled: true)));
        linear.Multiply(x, y, 20, executor);

        Assert.Equal(Multiply(linear, x, 20), y);
        executor.Dispose();
        Assert.Throws<ObjectDisposedException>(() => linear.Multiply(x, y, 20, executor));
    }

    [Fact]
    public async Task Products_of_several_threads_at_once_do_not_meet()
    {
        Linear linear = new(300, 601, Values(300 * 601, seed: 1));
        using MlaExecutor executor = new(2);
        await Task.WhenAll(Enumerable.Range(2, 6).Select(seed => Task.Run(() =>
        {
            float[] x = Values(20 * 300, seed);
            float[] expected = Multiply(linear, x, 20);
            float[] y = new float[20 * 601];
            for (int i = 0; i < 10; i++)
            {
                linear.Multiply(x, y, 20, executor);
                Assert.Equal(expected, y);
            }
        })));
    }

    [Fact]
    public async Task A_collection_that_moves_what_a_product_works_in_does_not_change_it()
    {
        Linear linear = new(300, 601, Values(300 * 601, seed: 1));
        float[] x = Values(20 * 300, seed: 2);
        float[] expected = Multiply(linear, x, 20);
        using CancellationTokenSource ended = new();
        Task collector = Task.Run(() =>
        {
            // What is freed in front of the product's memory is of no whole number of cache lines: the memory moves to another place in a line.
            for (int i = 0; !ended.IsCancellationRequested; i++)
            {
                GC.KeepAlive(new byte[8 * (1 + (i % 7))]);
                GC.Collect(0);
                Thread.SpinWait(5000);
            }
        });

        // Each thread has memory of its own, and a new one is young: it lies where collections move things.
        for (int i = 0; i < 300; i++)
        {
            float[] y = new float[20 * 601];
            Thread thread = new(() => linear.Multiply(x, y, 20));
            thread.Start();
            thread.Join();
            Assert.Equal(expected, y);
        }

        await ended.CancelAsync();
        await collector;
    }

    [Fact]
    public void A_product_allocates_nothing_after_the_first_ones()
    {
        Linear linear = new(300, 601, Values(300 * 601, seed: 1), Values(601, seed: 2));
        float[] x = Values(20 * 300, seed: 3);
        float[] y = new float[20 * 601];
        Linear[] both = [linear, linear];
        using MlaExecutor executor = new(2);

        // A collection meanwhile takes the rest of a thread's allocation buffer away, which counts as allocated: not in every one of the rounds.
        Assert.Contains(0L, Enumerable.Range(0, 20).Select(_ => Round()).ToList());

        long Round()
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            linear.Multiply(x.AsSpan(0, 300), y.AsSpan(0, 601), 1);
            linear.Multiply(x, y, 20);
            linear.Multiply(x, y, 20, executor);
            Linear.MultiplyEach(both, x.AsSpan(0, 600), y.AsSpan(0, 1202), executor);
            return GC.GetAllocatedBytesForCurrentThread() - before;
        }
    }

    private static float[] Multiply(Linear linear, float[] inputs, int count)
    {
        float[] outputs = new float[count * linear.OutFeatures];
        linear.Multiply(inputs, outputs, count);
        return outputs;
    }

    private static float[] Values(int count, int seed)
    {
        Random random = new(seed);
        return [.. Enumerable.Range(0, count).Select(_ => random.NextSingle() - 0.5f)];
    }
}
