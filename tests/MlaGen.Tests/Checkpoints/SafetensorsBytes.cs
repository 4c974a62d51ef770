using System.Buffers.Binary;
using System.Text;

namespace MlaGen.Tests.Checkpoints;

/// <summary>Puts safetensors files together byte by byte, malformed ones included.</summary>
internal static class SafetensorsBytes
{
    /// <summary>A legal file: a metadata entry and tensors a (F32 [2, 3]), s (BF16, a scalar), z (I8, nothing in it), b (F16 [4]).</summary>
    public const string LegalHeader =
        """{"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},"b":{"dtype":"F16","shape":[4],"data_offsets":[26,34]},"s":{"dtype":"BF16","shape":[],"data_offsets":[24,26]},"z":{"dtype":"I8","shape":[0,7],"data_offsets":[26,26]}}""";

    public const int LegalDataLength = 34;

    public static byte[] Legal => File(LegalHeader, LegalDataLength);

    /// <summary>Header, then data 0, 1, 2 …</summary>
    public static byte[] File(string header, int dataLength) => File((ulong)Encoding.UTF8.GetByteCount(header), header, dataLength);

    /// <summary>The same with a length of the header that may be a lie.</summary>
    public static byte[] File(ulong headerLength, string header, int dataLength) => File(headerLength, Encoding.UTF8.GetBytes(header), dataLength);

    public static byte[] File(ulong headerLength, byte[] header, int dataLength)
    {
        byte[] file = new byte[sizeof(ulong) + header.Length + dataLength];
        BinaryPrimitives.WriteUInt64LittleEndian(file, headerLength);
        header.CopyTo(file, sizeof(ulong));
        for (int i = 0; i < dataLength; i++)
        {
            file[sizeof(ulong) + header.Length + i] = (byte)i;
        }

        return file;
    }

    /// <summary>A file of I8 vectors, in the order given.</summary>
    public static byte[] OfVectors(params (string Name, int Length)[] tensors)
    {
        var header = new StringBuilder("{");
        int offset = 0;
        foreach ((string name, int length) in tensors)
        {
            header.Append(offset > 0 ? "," : "").Append($$"""
                "{{name}}": { "dtype": "I8", "shape": [{{length}}], "data_offsets": [{{offset}}, {{offset + length}}] }
                """);
            offset += length;
        }

        return File(header.Append('}').ToString(), offset);
    }
}
