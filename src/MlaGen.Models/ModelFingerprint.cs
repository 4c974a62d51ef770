using System.Buffers.Binary;
using System.Security.Cryptography;
using Microsoft.Win32.SafeHandles;
using MlaGen.Runtime;

namespace MlaGen.Models;

/// <summary>What tells one model from another, without reading hundreds of gigabytes.</summary>
internal static class ModelFingerprint
{
    // Up to here a file is read whole; of a longer one so many parts, evenly spread.
    private const long MostWhole = 64 << 20;
    private const int Parts = 64;
    private const int PartBytes = 64 << 10;

    /// <exception cref="IOException">A file cannot be read, or is no regular one.</exception>
    public static long Of(string directory)
    {
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        IEnumerable<string> small = ((IEnumerable<string>)["config.json", "tokenizer.json", "tiktoken.model"]).Select(name => Path.Combine(directory, name)).Where(File.Exists);
        foreach (string path in small.Concat(Directory.EnumerateFiles(directory, "*.safetensors").Order(StringComparer.Ordinal)))
        {
            hash.AppendData(HashOf(path));
        }

        return BinaryPrimitives.ReadInt64LittleEndian(hash.GetHashAndReset());
    }

    private static byte[] HashOf(string path)
    {
        using SafeFileHandle file = RegularFile.OpenRead(path, out long length);
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        byte[] part = new byte[PartBytes];
        bool isWhole = length <= MostWhole;
        long parts = isWhole ? (length + PartBytes - 1) / PartBytes : Parts;
        for (long i = 0; i < parts; i++)
        {
            long offset = isWhole ? i * PartBytes : (length - PartBytes) / (Parts - 1) * i;
            hash.AppendData(part.AsSpan(0, RegularFile.Read(file, offset, part)));
        }

        if (!isWhole)
        {
            BinaryPrimitives.WriteInt64LittleEndian(part, length);
            hash.AppendData(part.AsSpan(0, sizeof(long)));
        }

        return hash.GetHashAndReset();
    }
}
