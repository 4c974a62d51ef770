using MlaGen.Tests.Files;

namespace MlaGen.Tests.Checkpoints;

/// <summary>Seeded damage to headers and indexes: each ends in a file that is sound, or in <see cref="CheckpointException"/>.</summary>
public sealed class CheckpointFuzzTests : IDisposable
{
    private const string JsonBytes = "{}[]\",:0123456789-.eE\\u tfn\0\xFF";

    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void A_damaged_header_is_refused_or_still_covers_the_data_exactly()
    {
        var random = new Random(20250704);
        int opened = 0;
        for (int round = 0; round < 4000; round++)
        {
            byte[] damaged = Damage(SafetensorsBytes.Legal, SafetensorsBytes.Legal.Length - SafetensorsBytes.LegalDataLength, random);
            string path = _directory.Write("fuzz.safetensors", damaged);
            try
            {
                using SafetensorsFile file = SafetensorsFile.Open(path);
                long bytes = file.Tensors.Sum(ReadWhole);
                Assert.Equal(damaged.Length - 8 - BitConverter.ToInt64(damaged), bytes);
                opened++;
            }
            catch (CheckpointException e)
            {
                Assert.Equal(path, e.File);
            }
        }

        // Damage to a name or to white space is legal, damage to structure is not: both must have come up.
        Assert.InRange(opened, 50, 2000);
    }

    [Fact]
    public void A_damaged_index_is_refused_or_still_agrees_with_its_shards()
    {
        _directory.Write("a.safetensors", SafetensorsBytes.OfVectors(("t", 1)));
        _directory.Write("b.safetensors", SafetensorsBytes.OfVectors(("u", 2)));
        byte[] index = """{"metadata": {"total_size": 3}, "weight_map": {"t": "a.safetensors", "u": "b.safetensors"}}"""u8.ToArray();
        var random = new Random(20250705);
        int opened = 0;
        for (int round = 0; round < 2000; round++)
        {
            _directory.Write("model.safetensors.index.json", Damage(index, index.Length, random));
            try
            {
                using Checkpoint checkpoint = Checkpoint.Open(_directory.Path);
                Assert.All(checkpoint.Tensors, tensor => ReadWhole(tensor));
                opened++;
            }
            catch (CheckpointException e)
            {
                Assert.StartsWith(_directory.Path, e.File, StringComparison.Ordinal);
            }
        }

        Assert.InRange(opened, 50, 1500);
    }

    /// <summary>Replaces, removes or inserts up to three bytes of the first <paramref name="length"/>.</summary>
    private static byte[] Damage(byte[] sound, int length, Random random)
    {
        var bytes = new List<byte>(sound);
        for (int left = random.Next(1, 4); left > 0; left--)
        {
            int at = random.Next(length - 1);
            byte value = random.Next(2) == 0 ? (byte)random.Next(256) : (byte)JsonBytes[random.Next(JsonBytes.Length)];
            switch (random.Next(6))
            {
                case 0:
                    bytes.RemoveAt(at);
                    bytes.Insert(random.Next(length - 1), value);
                    break;
                case 1:
                    bytes[at] ^= (byte)(1 << random.Next(8));
                    break;
                case 2:
                    bytes.Insert(at, value);
                    bytes.RemoveAt(random.Next(length - 1));
                    break;
                default:
                    bytes[at] = value;
                    break;
            }
        }

        return [.. bytes];
    }

    private static long ReadWhole(CheckpointTensor tensor)
    {
        if (tensor.Type == TensorType.Other)
        {
            // Its size is not known: as far as it can be read.
            byte[] one = new byte[1];
            for (int length = 0; ; length++)
            {
                try
                {
                    tensor.Read(length, one);
                }
                catch (ArgumentOutOfRangeException)
                {
                    return length;
                }
            }
        }

        Assert.Null(Runtime.TensorTypes.SizeProblem(tensor.Type, tensor.Shape.AsSpan(), out long bytes));
        tensor.Read(0, new byte[bytes]);
        return bytes;
    }
}
