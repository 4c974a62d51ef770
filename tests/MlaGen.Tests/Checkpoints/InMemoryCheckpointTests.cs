namespace MlaGen.Tests.Checkpoints;

public class InMemoryCheckpointTests
{
    [Fact]
    public void Bytes_come_back_as_they_were_given()
    {
        var checkpoint = new InMemoryCheckpoint("made in code");
        checkpoint.Add("t", TensorType.Int16, [2, 1], [1, 2, 3, 4]);
        Assert.True(checkpoint.TryGetTensor("t", out CheckpointTensor? tensor));
        byte[] bytes = new byte[2];
        tensor.Read(1, bytes);
        Assert.Equal([2, 3], bytes);
        Assert.Equal("made in code", tensor.Source);
        Assert.Equal([2, 1], tensor.Shape.ToArray());
        Assert.Throws<ArgumentOutOfRangeException>(() => tensor.Read(3, new byte[2]));
    }

    [Fact]
    public void Floats_are_rounded_to_the_type_that_is_asked_for()
    {
        float[] values = [1, -0.3f, 448, 1.0009765625f];
        (TensorType Type, byte[] Bytes)[] expected =
        [
            (TensorType.Float32, [0, 0, 0x80, 0x3F, 0x9A, 0x99, 0x99, 0xBE, 0, 0, 0xE0, 0x43, 0, 0x20, 0x80, 0x3F]),
            (TensorType.Float16, [0, 0x3C, 0xCD, 0xB4, 0, 0x5F, 0x01, 0x3C]),
            (TensorType.BFloat16, [0x80, 0x3F, 0x9A, 0xBE, 0xE0, 0x43, 0x80, 0x3F]),
            (TensorType.Float8E4M3, [0x38, 0xAA, 0x7E, 0x38]),
        ];
        var checkpoint = new InMemoryCheckpoint();
        foreach ((TensorType type, byte[] bytes) in expected)
        {
            checkpoint.Add(type.ToString(), [4], values, type);
            Assert.True(checkpoint.TryGetTensor(type.ToString(), out CheckpointTensor? tensor));
            byte[] found = new byte[bytes.Length];
            tensor.Read(0, found);
            Assert.Equal(bytes, found);
        }

        Assert.Throws<ArgumentOutOfRangeException>(() => checkpoint.Add("i", [4], values, TensorType.Int32));
    }

    [Fact]
    public void What_does_not_fit_is_refused_and_leaves_nothing_behind()
    {
        var checkpoint = new InMemoryCheckpoint();
        Assert.Throws<ArgumentException>(() => checkpoint.Add("t", TensorType.Float32, [2], new byte[7]));
        Assert.Throws<ArgumentException>(() => checkpoint.Add("t", [-1], [1f]));
        Assert.Throws<ArgumentException>(() => checkpoint.Add("t", [long.MaxValue, long.MaxValue], [1f]));
        Assert.Throws<ArgumentOutOfRangeException>(() => checkpoint.Add("t", (TensorType)99, [1], new byte[1]));
        Assert.False(checkpoint.TryGetTensor("t", out _));
        checkpoint.Add("t", [], [1f]);
        Assert.Throws<ArgumentException>(() => checkpoint.Add("t", [], [1f]));
    }
}
