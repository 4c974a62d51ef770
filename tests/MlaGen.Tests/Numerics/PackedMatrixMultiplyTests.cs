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
