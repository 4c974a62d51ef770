using System.Runtime.InteropServices;
using MlaGen.Runtime;
using MlaGen.Tests.Numerics;

namespace MlaGen.Tests.Checkpoints;

public class BlockScaledWeightTests
{
    // Neither is a multiple of a block: 3 × 2 scales, the last of them partly used.
    private const int Rows = 300;
    private const int Columns = 200;
    private const string Name = "q_b_proj.weight";

    private static readonly float[] _scales = [0.01f, 3.0000002f, 1e-3f, 0f, 17.3f, 1e-38f];

    [Theory]
    [InlineData("_scale_inv")]
    [InlineData("_scale")]
    public void A_weight_is_its_code_times_the_scale_of_its_block(string suffix)
    {
        byte[] codes = Codes();
        WeightMatrix matrix = WeightReader.OpenMatrix(Checkpoint(codes, suffix), Name, Rows, Columns, "[a, b]");
        Assert.Equal(TensorType.Float8E4M3, matrix.Type);
        float[] decoded = ReadFloats(matrix, 0, Rows);
        for (int row = 0; row < Rows; row++)
        {
            for (int column = 0; column < Columns; column++)
            {
                // The product is a float, as in DeepSeek's kernel.
                float expected = (float)ReferenceFormats.E4M3(codes[(row * Columns) + column]) * _scales[(row / 128 * 2) + (column / 128)];
                Assert.Equal(expected, decoded[(row * Columns) + column]);
            }
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(5)]
    public void A_packed_matrix_multiplies_by_the_same_weights(int count)
    {
        InMemoryCheckpoint checkpoint = Checkpoint(Codes(), "_scale_inv");
        float[] weights = ReadFloats(WeightReader.OpenMatrix(checkpoint, Name, Rows, Columns, "[a, b]"), 0, Rows);
        float[] x = [.. Enumerable.Range(0, count * Columns).Select(i => MathF.Sin(i))];
        float[] expected = new float[count * Rows];
        float[] found = new float[count * Rows];

        new Linear(Columns, Rows, weights).Multiply(x, expected, count);
        Linear.Load(checkpoint, Name[..^".weight".Length], Columns, Rows).Multiply(x, found, count);

        Assert.Equal(expected, found);
    }

    [Theory]
    [InlineData(192, 108)]
    [InlineData(127, 2)]
    [InlineData(128, 1)]
    [InlineData(255, 45)]
    [InlineData(299, 1)]
    public void Rows_read_alone_are_the_rows_of_the_whole_matrix(int firstRow, int count)
    {
        WeightMatrix matrix = WeightReader.OpenMatrix(Checkpoint(Codes(), "_scale_inv"), Name, Rows, Columns, "[a, b]");
        Assert.Equal(ReadFloats(matrix, 0, Rows)[(firstRow * Columns)..((firstRow + count) * Columns)], ReadFloats(matrix, firstRow, count));
    }

    [Theory]
    [InlineData(TensorType.BFloat16)]
    [InlineData(TensorType.Float16)]
    public void Scales_of_half_the_width_are_read_too(TensorType type)
    {
        var checkpoint = new InMemoryCheckpoint();
        checkpoint.Add(Name, [1, 2], [1f, -2f], TensorType.Float8E4M3);
        checkpoint.Add(Name + "_scale", [1, 1], [0.5f], type);
        Assert.Equal([0.5f, -1f], ReadFloats(WeightReader.OpenMatrix(checkpoint, Name, 1, 2, "[a, b]"), 0, 1));
    }

    [Theory]
    [InlineData(0x7F)]
    [InlineData(0xFF)]
    public void A_NaN_is_refused_by_its_place_when_its_row_is_read(byte code)
    {
        byte[] codes = Codes();
        codes[(130 * Columns) + 7] = code;
        WeightMatrix matrix = WeightReader.OpenMatrix(Checkpoint(codes, "_scale_inv"), Name, Rows, Columns, "[a, b]");
        ReadFloats(matrix, 0, 130);
        CheckpointException e = Assert.Throws<CheckpointException>(() => ReadFloats(matrix, 0, Rows));
        Assert.Equal($"memory: tensor '{Name}' has the code 0x{code:X2} at [130, 7], with the scale 0.001: not a finite value", e.Message);
    }

    [Fact]
    public void A_product_beyond_floats_is_refused_by_its_place()
    {
        var checkpoint = new InMemoryCheckpoint();
        checkpoint.Add(Name, [1, 2], [1f, 448f], TensorType.Float8E4M3);
        checkpoint.Add(Name + "_scale_inv", [1, 1], [1e36f]);
        WeightMatrix matrix = WeightReader.OpenMatrix(checkpoint, Name, 1, 2, "[a, b]");
        Assert.Contains("code 0x7E at [0, 1], with the scale 1E+36", Assert.Throws<CheckpointException>(() => ReadFloats(matrix, 0, 1)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(new long[] { 2, 3 })]
    [InlineData(new long[] { 6 })]
    [InlineData(new long[] { 1, 6 })]
    public void Scales_of_another_shape_are_refused(long[] shape)
    {
        var checkpoint = new InMemoryCheckpoint();
        checkpoint.Add(Name, TensorType.Float8E4M3, [Rows, Columns], Codes());
        checkpoint.Add(Name + "_scale_inv", shape, _scales);
        Assert.Equal(
            $"memory: tensor '{Name}_scale_inv' has the wrong shape: expected [3, 2] = [⌈300/128⌉, ⌈200/128⌉], [300, 1] or [1], found F32 [{string.Join(", ", shape)}]", Refused(checkpoint));
    }

    [Fact]
    public void Scales_of_another_type_are_refused()
    {
        var checkpoint = new InMemoryCheckpoint();
        checkpoint.Add(Name, TensorType.Float8E4M3, [Rows, Columns], Codes());
        checkpoint.Add(Name + "_scale_inv", TensorType.Float8E8M0, [3, 2], new byte[6]);
        Assert.Contains($"'{Name}_scale_inv' has the wrong type: expected BF16, F16 or F32, found F8_E8M0 [3, 2]", Refused(checkpoint), StringComparison.Ordinal);
    }

    [Fact]
    public void A_matrix_of_codes_without_scales_is_refused()
    {
        var checkpoint = new InMemoryCheckpoint();
        checkpoint.Add(Name, TensorType.Float8E4M3, [Rows, Columns], Codes());
        Assert.Contains($"is F8_E4M3 without scales; expected '{Name}_scale_inv' or '{Name}_scale', [3, 2]", Refused(checkpoint), StringComparison.Ordinal);
    }

    [Fact]
    public void Two_sets_of_scales_are_refused()
    {
        InMemoryCheckpoint checkpoint = Checkpoint(Codes(), "_scale_inv");
        checkpoint.Add(Name + "_scale", [3, 2], _scales);
        Assert.Contains($"has two sets of scales, '{Name}_scale_inv' and '{Name}_scale'", Refused(checkpoint), StringComparison.Ordinal);
    }

    [Fact]
    public void Scales_of_a_matrix_that_needs_none_are_refused()
    {
        var checkpoint = new InMemoryCheckpoint();
        checkpoint.Add(Name, [Rows, Columns], new float[Rows * Columns], TensorType.BFloat16);
        checkpoint.Add(Name + "_scale_inv", [3, 2], _scales);
        Assert.Contains($"'{Name}_scale_inv' scales '{Name}', which is BF16", Refused(checkpoint), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(float.NaN, "NaN")]
    [InlineData(float.PositiveInfinity, "Infinity")]
    [InlineData(-0.5f, "-0.5")]
    public void A_scale_that_is_negative_or_not_finite_is_refused_by_its_place(float scale, string said)
    {
        var checkpoint = new InMemoryCheckpoint();
        checkpoint.Add(Name, TensorType.Float8E4M3, [Rows, Columns], Codes());
        checkpoint.Add(Name + "_scale_inv", [3, 2], [1, 1, 1, scale, 1, 1]);
        Assert.Contains($"'{Name}_scale_inv' has the value {said} at [1, 1]", Refused(checkpoint), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(new long[] { }, TensorType.Float32)]
    [InlineData(new long[] { 1 }, TensorType.BFloat16)]
    [InlineData(new long[] { 1, 1 }, TensorType.Float16)]
    [InlineData(new long[] { Rows }, TensorType.Float32)]
    [InlineData(new long[] { Rows, 1 }, TensorType.BFloat16)]
    public void One_scale_may_stand_for_a_row_or_for_the_matrix(long[] shape, TensorType type)
    {
        byte[] codes = Codes();
        bool isByRow = shape.Contains(Rows);
        float[] scales = [.. Enumerable.Range(0, isByRow ? Rows : 1).Select(static row => 0.03125f * (1 + (row % 37)))];
        var checkpoint = new InMemoryCheckpoint();
        checkpoint.Add(Name, TensorType.Float8E4M3, [Rows, Columns], codes);
        checkpoint.Add(Name + "_scale", shape, scales, type);

        float[] decoded = ReadFloats(WeightReader.OpenMatrix(checkpoint, Name, Rows, Columns, "[a, b]"), 0, Rows);

        for (int i = 0; i < decoded.Length; i++)
        {
            Assert.Equal((float)ReferenceFormats.E4M3(codes[i]) * scales[isByRow ? i / Columns : 0], decoded[i]);
        }
    }

    [Theory]
    [InlineData(new long[] { Columns })]
    [InlineData(new long[] { 1, Columns })]
    [InlineData(new long[] { Rows, 2 })]
    [InlineData(new long[] { 2 })]
    [InlineData(new long[] { 1, 1, 1 })]
    public void One_scale_for_anything_else_is_refused(long[] shape)
    {
        var checkpoint = new InMemoryCheckpoint();
        checkpoint.Add(Name, TensorType.Float8E4M3, [Rows, Columns], Codes());
        checkpoint.Add(Name + "_scale", shape, new float[shape.Aggregate(1L, static (product, dimension) => product * dimension)]);
        Assert.Contains($"expected [3, 2] = [⌈300/128⌉, ⌈200/128⌉], [300, 1] or [1], found F32 [{string.Join(", ", shape)}]", Refused(checkpoint), StringComparison.Ordinal);
    }

    private static string Refused(ICheckpoint checkpoint) =>
        Assert.Throws<CheckpointException>(() => WeightReader.OpenMatrix(checkpoint, Name, Rows, Columns, "[a, b]")).Message;

    private static InMemoryCheckpoint Checkpoint(byte[] codes, string suffix)
    {
        var checkpoint = new InMemoryCheckpoint();
        checkpoint.Add(Name, TensorType.Float8E4M3, [Rows, Columns], codes);
        checkpoint.Add(Name + suffix, [3, 2], _scales);
        return checkpoint;
    }

    /// <summary>All finite codes, mixed so that each meets each scale.</summary>
    private static byte[] Codes()
    {
        byte[] codes = new byte[Rows * Columns];
        for (int i = 0; i < codes.Length; i++)
        {
            byte code = (byte)(i * 37 % 251 * 5);
            codes[i] = (code & 0x7F) == 0x7F ? (byte)0 : code;
        }

        return codes;
    }

    private static float[] ReadFloats(WeightMatrix matrix, int firstRow, int count)
    {
        float[] values = new float[count * matrix.Columns];
        matrix.ReadFloats(firstRow, count, MemoryMarshal.AsBytes(values.AsSpan()));
        return values;
    }
}
