using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace MlaGen.Runtime;

/// <summary>
/// A hash that is another for every other checkpoint, and for a checkpoint once a file of it was changed: of the names of its files, their lengths, when they
/// were last written, their headers and samples of their data. To read all of the data would take as long as loading it; times and samples find what
/// leaves lengths and headers as they were, such as further training.
/// </summary>
internal static class CheckpointFingerprint
{
    private const int Samples = 64;
    private const int SampleBytes = 4096;

    /// <summary>The hash, in hexadecimal digits.</summary>
    /// <param name="checkpoint">An open checkpoint.</param>
    /// <param name="use">What the hash is for: for every use it is another.</param>
    public static string Of(Checkpoint checkpoint, string use)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(SHA256.HashData(Encoding.UTF8.GetBytes(use)));
        foreach (SafetensorsFile file in checkpoint.Files)
        {
            Append(hash, file);
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    private static void Append(IncrementalHash hash, SafetensorsFile file)
    {
        Span<byte> numbers = stackalloc byte[2 * sizeof(long)];
        BinaryPrimitives.WriteInt64LittleEndian(numbers, file.Length);
        BinaryPrimitives.WriteInt64LittleEndian(numbers[sizeof(long)..], File.GetLastWriteTimeUtc(file.Handle).Ticks);
        hash.AppendData(SHA256.HashData(Encoding.UTF8.GetBytes(Path.GetFileName(file.Source))));
        hash.AppendData(numbers);
        byte[] header = new byte[file.DataStart];
        CheckpointFiles.Read(file.Handle, file.Source, file.Length, 0, header);
        hash.AppendData(SHA256.HashData(header));
        byte[] sample = new byte[Math.Min(SampleBytes, file.Length)];
        for (int i = 0; i < Samples; i++)
        {
            CheckpointFiles.Read(file.Handle, file.Source, file.Length, (long)((Int128)(file.Length - sample.Length) * i / (Samples - 1)), sample);
            hash.AppendData(sample);
        }
    }
}
