using System.Runtime.InteropServices;
using System.Text;
using MlaGen.Models.Tests.Configs;

namespace MlaGen.Models.Tests.Golden;

/// <summary>A model whose experts are packed in four bits by compressed-tensors, as Kimi-K2-Thinking's are, beside one that has the same weights as floats.</summary>
public class PackedExpertsTests
{
    private const int Group = 32;
    private const string Quantization =
        """
        {"quant_method": "compressed-tensors", "format": "pack-quantized", "ignore": ["lm_head", "re:.*self_attn.*"], "config_groups": {"group_0": {"targets": ["Linear"],
         "weights": {"num_bits": 4, "type": "int", "symmetric": true, "strategy": "group", "group_size": 32}}}}
        """;

    private static readonly int[] _prompt = [.. Enumerable.Range(1, 24).Select(static i => i * 7 % 300)];

    [Theory]
    [InlineData("moonlight")]
    [InlineData("deepseek-v3")]
    public void Packed_experts_compute_what_their_floats_do(string name)
    {
        using ModelDirectory packed = new ModelDirectory(name).With("quantization_config", Quantization);
        using ModelDirectory plain = new(name);
        int count = Rewrite(packed, plain);
        Assert.True(count >= 6);

        float[] expected = Scores(plain, new ModelOptions());
        float most = expected.Max(MathF.Abs);
        foreach (bool keep in new[] { false, true, true })
        {
            Assert.All(expected.Zip(Scores(packed, new ModelOptions { KeepWeights = keep })), pair => Assert.Equal(pair.First, pair.Second, most * 1e-5f));
        }
    }

    [Theory]
    [InlineData("num_bits", "4", "8", "quantization_config.config_groups.group_0.weights.num_bits: expected a number from 4 to 4, found 8")]
    [InlineData("symmetric", "true", "false", "weights.symmetric: expected true, found false")]
    [InlineData("group_size", "32", "48", "weights.group_size: expected a multiple of 32, found 48")]
    [InlineData("type", "\"int\"", "\"float\"", "weights.type: expected \"int\", found \"float\"")]
    [InlineData("strategy", "\"group\"", "\"block\"", "weights.strategy: expected \"group\" or \"channel\", found \"block\"")]
    public void Weights_packed_in_another_way_are_refused_by_their_configuration(string key, string value, string other, string problem)
    {
        using ModelDirectory directory = new ModelDirectory("moonlight").With("quantization_config", Quantization.Replace($"\"{key}\": {value}", $"\"{key}\": {other}", StringComparison.Ordinal));

        Assert.Contains(problem, Assert.Throws<ModelConfigException>(() => ModelConfig.Read(directory.Path)).Message, StringComparison.Ordinal);
    }

    /// <summary>Packs the experts of one directory, and writes what they then stand for into the other.</summary>
    private static int Rewrite(ModelDirectory packed, ModelDirectory plain)
    {
        List<(string Name, string Type, long[] Shape, byte[] Data)> packedTensors = [];
        List<(string Name, string Type, long[] Shape, byte[] Data)> plainTensors = [];
        int count = 0;
        using (Checkpoint checkpoint = Checkpoint.Open(plain.Path))
        {
            foreach (CheckpointTensor tensor in checkpoint.Tensors)
            {
                byte[] data = new byte[tensor.Shape.Aggregate(1L, static (product, dimension) => product * dimension) * (tensor.Type == TensorType.Float32 ? 4 : 2)];
                tensor.Read(0, data);
                if (!tensor.Name.Contains(".mlp.experts.", StringComparison.Ordinal))
                {
                    (string, string, long[], byte[]) same = (tensor.Name, tensor.Type == TensorType.Float32 ? "F32" : "BF16", [.. tensor.Shape], data);
                    packedTensors.Add(same);
                    plainTensors.Add(same);
                    continue;
                }

                count++;
                Pack(tensor, MemoryMarshal.Cast<byte, ushort>(data).ToArray(), packedTensors, plainTensors);
            }
        }

        Write(packed.Path, packedTensors);
        Write(plain.Path, plainTensors);
        return count;
    }

    private static void Pack(
        CheckpointTensor tensor, ushort[] values, List<(string Name, string Type, long[] Shape, byte[] Data)> packed, List<(string Name, string Type, long[] Shape, byte[] Data)> plain)
    {
        Assert.Equal(TensorType.BFloat16, tensor.Type);
        (int rows, int columns) = ((int)tensor.Shape[0], (int)tensor.Shape[1]);
        int words = (columns + 7) / 8;
        int groups = (columns + Group - 1) / Group;
        uint[] codes = new uint[rows * words];
        ushort[] scales = new ushort[rows * groups];
        float[] floats = new float[rows * columns];
        for (int row = 0; row < rows; row++)
        {
            for (int group = 0; group < groups; group++)
            {
                int[] places = [.. Enumerable.Range(group * Group, Math.Min(Group, columns - (group * Group)))];
                float largest = places.Max(column => MathF.Abs(Value(row, column)));
                ushort scale = (ushort)(BitConverter.SingleToUInt32Bits(largest / 7) >> 16);
                float step = BitConverter.UInt32BitsToSingle((uint)scale << 16);
                scales[(row * groups) + group] = scale;
                foreach (int column in places)
                {
                    int code = step == 0 ? 0 : (int)Math.Clamp(MathF.Round(Value(row, column) / step), -8, 7);
                    codes[(row * words) + (column / 8)] |= (uint)(code + 8) << (column % 8 * 4);
                    floats[(row * columns) + column] = code * step;
                }
            }
        }

        packed.Add(($"{tensor.Name}_packed", "I32", [rows, words], MemoryMarshal.AsBytes(codes.AsSpan()).ToArray()));
        packed.Add(($"{tensor.Name}_scale", "BF16", [rows, groups], MemoryMarshal.AsBytes(scales.AsSpan()).ToArray()));
        packed.Add(($"{tensor.Name}_shape", "I64", [2], MemoryMarshal.AsBytes(new long[] { rows, columns }.AsSpan()).ToArray()));
        plain.Add((tensor.Name, "F32", [rows, columns], MemoryMarshal.AsBytes(floats.AsSpan()).ToArray()));

        float Value(int row, int column) => BitConverter.UInt32BitsToSingle((uint)values[(row * columns) + column] << 16);
    }

    private static void Write(string directory, List<(string Name, string Type, long[] Shape, byte[] Data)> tensors)
    {
        foreach (string file in Directory.GetFiles(directory, "model*"))
        {
            File.Delete(file);
        }

        SafetensorsText.Write(Path.Combine(directory, "model.safetensors"), tensors);
    }

    private static float[] Scores(ModelDirectory directory, ModelOptions options)
    {
        LanguageModel model = LanguageModel.Load(directory.Path, TinyModels.Classes, options);
        using ModelRun run = new(model, 1);
        return [.. run.Feed(0, _prompt, _prompt.Length, 3), .. run.Feed(0, [5], 1, 1)];
    }
}
