using System.Buffers.Binary;
using System.Text;
using System.Text.Json;

namespace MlaGen.Models.Tests.Golden;

/// <summary>
/// A model of <c>Data/variants</c>: its weights follow from names and indices, as <c>Reference/variants.py</c> makes them, and are numbers that bf16, fp16 and fp32 have alike.
/// </summary>
internal sealed class VariantCheckpoint
{
    private readonly string _source;

    public VariantCheckpoint(string name)
    {
        _source = Path.Combine(VariantModels.Root, name);
        using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(_source, "golden.json")));
        JsonElement golden = document.RootElement;
        Shapes = golden.GetProperty("tensors").EnumerateObject().ToDictionary(
            static tensor => tensor.Name, static tensor => tensor.Value.EnumerateArray().Select(static dimension => dimension.GetInt64()).ToArray());
        Golden = new GoldenModel(
            [.. golden.GetProperty("prompt").EnumerateArray().Select(static token => token.GetInt32())],
            [.. golden.GetProperty("greedy").EnumerateArray().Select(static token => token.GetInt32())],
            golden.GetProperty("smallest_margin").GetDouble(),
            [.. golden.GetProperty("logits").EnumerateArray().SelectMany(static row => row.EnumerateArray()).Select(static score => score.GetSingle())],
            [.. golden.GetProperty("logits_end").EnumerateArray().Select(static score => score.GetSingle())]);
    }

    /// <summary>What a tensor's shape is, as transformers saves it.</summary>
    public Dictionary<string, long[]> Shapes { get; }

    public GoldenModel Golden { get; }

    /// <summary>Writes the model's directory.</summary>
    /// <param name="directory">Where to.</param>
    /// <param name="type">How numbers are stored: <c>BF16</c>, <c>F16</c> or <c>F32</c>.</param>
    /// <param name="shards">Files that the tensors lie in.</param>
    /// <param name="rename">What a tensor is called there.</param>
    public void Write(string directory, string type, int shards, Func<string, string>? rename = null)
    {
        File.Copy(Path.Combine(_source, "config.json"), Path.Combine(directory, "config.json"));
        (string Name, string Type, long[] Shape, byte[] Data)[] tensors = [.. Shapes.Select(tensor => (rename?.Invoke(tensor.Key) ?? tensor.Key, type, tensor.Value, Bytes(Values(tensor.Key, tensor.Value), type)))];
        if (shards == 1)
        {
            SafetensorsText.Write(Path.Combine(directory, "model.safetensors"), tensors);
            return;
        }

        Dictionary<string, string> index = [];
        for (int shard = 0; shard < shards; shard++)
        {
            string file = FormattableString.Invariant($"model-{shard + 1:D5}-of-{shards:D5}.safetensors");
            (string Name, string Type, long[] Shape, byte[] Data)[] part = [.. tensors.Where((_, i) => i % shards == shard)];
            SafetensorsText.Write(Path.Combine(directory, file), part);
            foreach ((string name, _, _, _) in part)
            {
                index.Add(name, file);
            }
        }

        File.WriteAllText(Path.Combine(directory, "model.safetensors.index.json"), JsonSerializer.Serialize(new { metadata = new { }, weight_map = index }));
    }

    /// <summary>What a tensor of this name holds.</summary>
    public static float[] Values(string name, long[] shape)
    {
        ulong seed = 0xCBF29CE484222325;
        foreach (byte unit in Encoding.UTF8.GetBytes(name))
        {
            seed = (seed ^ unit) * 0x100000001B3;
        }

        bool isMatrix = shape.Length > 1;
        bool isNorm = !isMatrix && name.Contains("norm", StringComparison.Ordinal) && name.EndsWith(".weight", StringComparison.Ordinal);
        double unitOfMatrix = Math.Pow(2, -(6 + Math.Ceiling(Math.Log2(shape[^1]) / 2)));
        float[] values = new float[shape.Aggregate(1L, static (product, dimension) => product * dimension)];
        for (int i = 0; i < values.Length; i++)
        {
            ulong z = seed + ((ulong)(i + 1) * 0x9E3779B97F4A7C15);
            z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
            z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
            int step = (int)((z ^ (z >> 31)) >> 56) - 128;
            values[i] = (float)(isMatrix ? step * unitOfMatrix : isNorm ? 1 + ((step >> 3) / 64.0) : step / 512.0);
        }

        return values;
    }

    private static byte[] Bytes(float[] values, string type)
    {
        byte[] bytes = new byte[values.Length * (type == "F32" ? sizeof(float) : sizeof(ushort))];
        for (int i = 0; i < values.Length; i++)
        {
            switch (type)
            {
                case "F32":
                    BinaryPrimitives.WriteSingleLittleEndian(bytes.AsSpan(i * sizeof(float)), values[i]);
                    break;
                case "F16":
                    BinaryPrimitives.WriteHalfLittleEndian(bytes.AsSpan(i * sizeof(ushort)), (Half)values[i]);
                    break;
                default:
                    BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(i * sizeof(ushort)), (ushort)(BitConverter.SingleToUInt32Bits(values[i]) >> 16));
                    break;
            }
        }

        return bytes;
    }
}
