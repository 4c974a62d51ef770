using System.Buffers.Binary;
using System.Text;

namespace MlaGen.Package.Tests.Infrastructure;

/// <summary>Writes safetensors files whose data is a hole of the right length: a build reads headers alone.</summary>
internal static class SafetensorsWriter
{
    /// <summary>Writes BF16 tensors.</summary>
    public static void Write(string path, params IEnumerable<(string Name, long[] Shape)> tensors)
    {
        var header = new StringBuilder("{");
        long end = 0;
        foreach ((string name, long[] shape) in tensors)
        {
            long begin = end;
            end += 2 * shape.Aggregate(1L, static (product, dimension) => product * dimension);
            header.Append(header.Length > 1 ? "," : string.Empty)
                .Append($"\"{name}\":{{\"dtype\":\"BF16\",\"shape\":[{string.Join(',', shape)}],\"data_offsets\":[{begin},{end}]}}");
        }

        byte[] json = Encoding.UTF8.GetBytes(header.Append('}').ToString());
        byte[] length = new byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64LittleEndian(length, (ulong)json.Length);
        using FileStream file = File.Create(path);
        file.Write(length);
        file.Write(json);
        file.SetLength(length.Length + json.Length + end);
    }

    /// <summary>One layer of the story model's shape, with a latent of another rank if asked.</summary>
    public static IEnumerable<(string Name, long[] Shape)> Layer(int layer, int kvLoraRank = 64)
    {
        string prefix = $"model.layers.{layer}.self_attn.";
        return
        [
            (prefix + "q_a_proj.weight", [128, 256]),
            (prefix + "q_a_layernorm.weight", [128]),
            (prefix + "q_b_proj.weight", [384, 128]),
            (prefix + "kv_a_proj_with_mqa.weight", [kvLoraRank + 16, 256]),
            (prefix + "kv_a_layernorm.weight", [kvLoraRank]),
            (prefix + "kv_b_proj.weight", [512, kvLoraRank]),
            (prefix + "o_proj.weight", [256, 256]),
        ];
    }
}
