using MlaGen.Runtime;

namespace MlaGen.Tests.Numerics;

public class PackedMatrixMultiplyTests
{
    [Theory]
    [InlineData(1, 1, 1)]
    [InlineData(3, 495, 256)]
    [InlineData(4, 128, 256)]
    [InlineData(7, 33, 300)]
    [InlineData(500, 129, 17)]
    public void Rows_are_multiplied_as_written_out(int count, int rows, int columns)
    {
        (PackedMatrix matrix, float[] weights) = Matrix(rows, columns);
        float[] inputs = Values(count * columns, seed: 2);
        float[] outputs = new float[count * rows];

        matrix.Multiply(inputs, outputs, count);

        for (int row = 0; row < count; row++)
        {
            for (int output = 0; output < rows; output++)
            {
                double sum = 0;
                for (int k = 0; k < columns; k++)
                {
                    sum += (double)inputs[(row * columns) + k] * weights[(output * columns) + k];
                }

                Assert.Equal(sum, outputs[(row * rows) + output], 1e-5 * Math.Sqrt(columns));
            }
        }
    }

    /// <summary>Groups that end within panels: what pads them is nobody's output.</summary>
    [Theory]
    [InlineData(1, 20, new[] { 10 })]
    [InlineData(3, 52, new[] { 20, 12 })]
    [InlineData(7, 310, new[] { 150, 5 })]
    [InlineData(300, 33, new[] { 1 })]
    [InlineData(5, 33, new[] { 17, 16 })]
    public void Rows_in_groups_are_multiplied_as_without(int count, int rows, int[] groups)
    {
        const int Columns = 270;
        float[] weights = Values(rows * Columns, seed: 1);
        float[] inputs = Values(count * Columns, seed: 2);
        float[] expected = new float[count * rows];
        float[] outputs = new float[count * rows];
        PackedMatrix.Pack(rows, Columns, weights).Multiply(inputs, expected, count);

        PackedMatrix.Pack(rows, Columns, weights, groups).Multiply(inputs, outputs, count);

        Assert.Equal(expected, outputs);
    }

    [Theory]
    [InlineData(20, new[] { 0 }, "at least one row")]
    [InlineData(20, new[] { 10, 0 }, "at least one row")]
    [InlineData(20, new[] { -5 }, "at least one row")]
    [InlineData(20, new[] { 16 }, "behind 16 rows 4 are left")]
    [InlineData(20, new[] { 12, 12 }, "behind 12 rows 8 are left")]
    [InlineData(20, new[] { 21 }, "behind 0 rows 20 are left")]
    [InlineData(20, new[] { int.MaxValue }, "the next group has 2147483647")]
    public void Groups_that_do_not_make_up_the_rows_are_refused(int rows, int[] groups, string words)
    {
        bool read = false;
        Assert.Contains(words, Assert.ThrowsAny<ArgumentException>(() => PackedMatrix.Pack(rows, 8, new float[rows * 8], groups)).Message, StringComparison.Ordinal);
        Assert.Contains(words, Assert.ThrowsAny<ArgumentException>(() => PackedMatrix.Pack(rows, 8, TensorType.BFloat16, (_, _, _) => read = true, groups)).Message, StringComparison.Ordinal);
        Assert.False(read);
    }

    [Theory]
    [InlineData(0, 8)]
    [InlineData(8, 0)]
    [InlineData(-1, -1)]
    public void A_matrix_without_elements_is_refused(int rows, int columns)
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => PackedMatrix.Pack(rows, columns, new float[Math.Abs(rows * columns)]));
        Assert.Throws<ArgumentOutOfRangeException>(() => PackedMatrix.Pack(rows, columns, TensorType.Float32, (_, _, _) => { }));
    }

    [Fact]
    public void Outputs_in_the_memory_of_the_inputs_are_refused()
    {
        (PackedMatrix matrix, _) = Matrix(16, 16);
        float[] values = new float[31];
        Assert.Throws<ArgumentException>(() => matrix.Multiply(values.AsSpan(0, 16), values.AsSpan(15), 1));
    }

    [Fact]
    public void A_row_has_the_same_bits_alone_and_among_any_number_of_others()
    {
        const int Count = 500;
        (PackedMatrix matrix, _) = Matrix(129, 300);
        float[] inputs = Values(Count * 300, seed: 3);
        float[] together = new float[Count * 129];
        float[] alone = new float[Count * 129];

        matrix.Multiply(inputs, together, Count);
        for (int row = 0; row < Count; row++)
        {
            matrix.Multiply(inputs.AsSpan(row * 300, 300), alone.AsSpan(row * 129, 129), 1);
        }

        Assert.Equal(alone, together);
    }

    [Theory]
    [InlineData(5, 8)]
    [InlineData(6, 9)]
    public void Spans_of_another_length_are_refused(int inputs, int outputs)
    {
        (PackedMatrix matrix, _) = Matrix(4, 3);

        ArgumentException error = Assert.Throws<ArgumentException>(() => matrix.Multiply(new float[inputs], new float[outputs], 2));

        Assert.Equal($"2 rows to multiply: expected 6 inputs and 8 outputs; found {inputs} and {outputs}.", error.Message);
    }

    private static (PackedMatrix Matrix, float[] Weights) Matrix(int rows, int columns)
    {
        float[] weights = Values(rows * columns, seed: 1);
        return (PackedMatrix.Pack(rows, columns, weights), weights);
    }

    private static float[] Values(int count, int seed)
    {
        Random random = new(seed);
        return [.. Enumerable.Range(0, count).Select(_ => random.NextSingle() - 0.5f)];
    }
}
