using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace MlaGen.Tests.Golden;

/// <summary>The least reader that a golden file needs, so that what is read does not depend on the product's own.</summary>
internal sealed class GoldenFile
{
    private readonly Dictionary<string, float[]> _tensors = [];
    private readonly Dictionary<string, int[]> _integers = [];

    private GoldenFile(IReadOnlyDictionary<string, string> metadata) => Metadata = metadata;

    public IReadOnlyDictionary<string, string> Metadata { get; }

    public static GoldenFile Read(string name)
    {
        byte[] bytes = File.ReadAllBytes(Path.Combine(AppContext.BaseDirectory, "Golden", "Data", name + ".safetensors"));
        int headerLength = checked((int)BinaryPrimitives.ReadUInt64LittleEndian(bytes));
        using JsonDocument header = JsonDocument.Parse(bytes.AsMemory(8, headerLength));
        ReadOnlySpan<byte> data = bytes.AsSpan(8 + headerLength);
        var file = new GoldenFile(header.RootElement.GetProperty("__metadata__").Deserialize<Dictionary<string, string>>()!);
        foreach (JsonProperty tensor in header.RootElement.EnumerateObject().Where(property => property.Name != "__metadata__"))
        {
            int[] offsets = tensor.Value.GetProperty("data_offsets").Deserialize<int[]>()!;
            ReadOnlySpan<byte> values = data[offsets[0]..offsets[1]];
            if (tensor.Value.GetProperty("dtype").GetString() == "I32")
            {
                file._integers.Add(tensor.Name, MemoryMarshal.Cast<byte, int>(values).ToArray());
                continue;
            }

            Assert.Equal("F32", tensor.Value.GetProperty("dtype").GetString());
            file._tensors.Add(tensor.Name, MemoryMarshal.Cast<byte, float>(values).ToArray());
        }

        return file;
    }

    public float[] Tensor(string name) => _tensors[name];

    public int[] Integers(string name) => _integers[name];
}
