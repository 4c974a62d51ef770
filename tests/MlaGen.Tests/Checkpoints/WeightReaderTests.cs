using System.Runtime.InteropServices;
using MlaGen.Runtime;
using MlaGen.Tests.Numerics;

namespace MlaGen.Tests.Checkpoints;

public class WeightReaderTests
{
    private const string Name = "model.layers.0.self_attn.o_proj.weight";

    [Theory]
    [InlineData(TensorType.Float32, 4)]
    [InlineData(TensorType.Float16, 2)]
    [InlineData(TensorType.BFloat16, 2)]
    public void A_matrix_is_read_as_it_is_stored_whole_or_in_rows(TensorType type, int elementBytes)
    {
        byte[] bytes = [.. Enumerable.Range(0, 5 * 3 * elementBytes).Select(i => (byte)i)];
        var checkpoint = new InMemoryCheckpoint();
        checkpoint.Add(Name, type, [5, 3], bytes);

        WeightMatrix matrix = WeightReader.OpenMatrix(checkpoint, Name, 5, 3, "[a, b]");

        Assert.Equal((5, 3, type), (matrix.Rows, matrix.Columns, matrix.Type));
        Assert.Equal(bytes, Read(matrix, 0, 5, elementBytes));
        Assert.Equal(bytes[(2 * 3 * elementBytes)..(4 * 3 * elementBytes)], Read(matrix, 2, 2, elementBytes));
        Assert.Empty(Read(matrix, 5, 0, elementBytes));
        Assert.Throws<ArgumentOutOfRangeException>(() => matrix.ReadRows(-1, 1, new byte[3 * elementBytes]));
        Assert.Throws<ArgumentOutOfRangeException>(() => matrix.ReadRows(4, 2, new byte[6 * elementBytes]));
        Assert.Throws<ArgumentOutOfRangeException>(() => matrix.ReadRows(int.MaxValue, int.MaxValue, []));
        Assert.Throws<ArgumentException>(() => matrix.ReadRows(0, 1, new byte[(3 * elementBytes) + 1]));
    }

    [Fact]
    public void A_missing_matrix_is_named_with_its_shape_and_where_that_comes_from()
    {
        CheckpointException e = Assert.Throws<CheckpointException>(
            () => WeightReader.OpenMatrix(new InMemoryCheckpoint("weights"), Name, 24576, 1536, "[Heads·(QkNopeHeadDim+QkRopeHeadDim), QLoraRank]"));
        Assert.Equal(("weights", Name), (e.File, e.Tensor));
        Assert.Equal(
            $"weights: tensor '{Name}' is missing; expected [24576, 1536] = [Heads·(QkNopeHeadDim+QkRopeHeadDim), QLoraRank], BF16, F16, F32 or scaled F8_E4M3", e.Message);
    }

    [Theory]
    [InlineData(new long[] { 3, 5 })]
    [InlineData(new long[] { 15 })]
    [InlineData(new long[] { 1, 5, 3 })]
    [InlineData(new long[] { 5, 3, 1 })]
    public void A_matrix_of_another_shape_is_refused_with_both_shapes(long[] shape)
    {
        var checkpoint = new InMemoryCheckpoint();
        checkpoint.Add(Name, shape, new float[15]);
        CheckpointException e = Assert.Throws<CheckpointException>(() => WeightReader.OpenMatrix(checkpoint, Name, 5, 3, "[HiddenSize, Heads·VHeadDim]"));
        Assert.Equal(
            $"memory: tensor '{Name}' has the wrong shape: expected [5, 3] = [HiddenSize, Heads·VHeadDim], found F32 [{string.Join(", ", shape)}]", e.Message);
    }

    [Theory]
    [InlineData(TensorType.Int8)]
    [InlineData(TensorType.Float64)]
    [InlineData(TensorType.Float8E5M2)]
    public void A_matrix_of_another_type_is_refused_with_both_types(TensorType type)
    {
        var checkpoint = new InMemoryCheckpoint();
        checkpoint.Add(Name, type, [1, 2], new byte[2 * TensorTypes.Size(type)]);
        CheckpointException e = Assert.Throws<CheckpointException>(() => WeightReader.OpenMatrix(checkpoint, Name, 1, 2, "[a, b]"));
        Assert.Equal($"memory: tensor '{Name}' has the wrong type: expected BF16, F16, F32 or scaled F8_E4M3, found {type.Name()} [1, 2]", e.Message);
    }

    [Fact]
    public void Every_code_of_a_bf16_or_fp16_vector_becomes_its_value()
    {
        ushort[] codes = [.. Enumerable.Range(0, ushort.MaxValue + 1).Select(code => (ushort)code)];
        var checkpoint = new InMemoryCheckpoint();
        checkpoint.Add("bf16", TensorType.BFloat16, [codes.Length], MemoryMarshal.AsBytes<ushort>(codes));
        checkpoint.Add("fp16", TensorType.Float16, [codes.Length], MemoryMarshal.AsBytes<ushort>(codes));
        Assert.Equal(codes.Select(code => (float)ReferenceFormats.Value(code, 8, 7)), WeightReader.ReadVector(checkpoint, "bf16", codes.Length, "[n]"));
        Assert.Equal(codes.Select(code => (float)ReferenceFormats.Value(code, 5, 10)), WeightReader.ReadVector(checkpoint, "fp16", codes.Length, "[n]"));
    }

    [Fact]
    public void A_vector_of_floats_is_read_and_one_that_does_not_fit_is_refused()
    {
        var checkpoint = new InMemoryCheckpoint();
        checkpoint.Add("norm", [3], [1f, 2f, float.Epsilon]);
        checkpoint.Add("codes", [3], [1f, 2f, 3f], TensorType.Float8E4M3);
        Assert.Equal([1f, 2f, float.Epsilon], WeightReader.ReadVector(checkpoint, "norm", 3, "[KvLoraRank]"));

        string Refused(string name, int length) =>
            Assert.Throws<CheckpointException>(() => WeightReader.ReadVector(checkpoint, name, length, "[KvLoraRank]")).Message;
        Assert.Equal("memory: tensor 'norm' has the wrong shape: expected [4] = [KvLoraRank], found F32 [3]", Refused("norm", 4));
        Assert.Equal("memory: tensor 'gone' is missing; expected [3] = [KvLoraRank], BF16, F16 or F32", Refused("gone", 3));
        Assert.Equal("memory: tensor 'codes' has the wrong type: expected BF16, F16 or F32, found F8_E4M3 [3]", Refused("codes", 3));
    }

    [Fact]
    public void A_surplus_tensor_is_refused_with_the_reason()
    {
        var checkpoint = new InMemoryCheckpoint();
        WeightReader.RequireAbsent(checkpoint, "o_proj.bias", "AttentionBias is false");
        checkpoint.Add("o_proj.bias", [2], [0f, 0f], TensorType.BFloat16);
        CheckpointException e = Assert.Throws<CheckpointException>(() => WeightReader.RequireAbsent(checkpoint, "o_proj.bias", "AttentionBias is false"));
        Assert.Equal("memory: tensor 'o_proj.bias' is surplus: expected none because AttentionBias is false, found BF16 [2]", e.Message);
    }

    internal static byte[] Read(WeightMatrix matrix, int firstRow, int count, int elementBytes)
    {
        byte[] bytes = new byte[count * matrix.Columns * elementBytes];
        matrix.ReadRows(firstRow, count, bytes);
        return bytes;
    }
}
