using MlaGen.Runtime;
using MlaGen.Tests.MachineCode;

namespace MlaGen.Tests.Weights;

/// <summary>Products at each precision, on whichever core this machine has for it: as near to the exact product as the precision says, and a row's bits its own.</summary>
public class ProductPrecisionTests
{
    private const string Name = "layer";
    private const int MostRows = 276;

    // Depths beside pairs, lines and blocks; outputs beside panels, pairs and groups of them.
    public static TheoryData<MlaPrecision, TensorType, int, int> Cases
    {
        get
        {
            var cases = new TheoryData<MlaPrecision, TensorType, int, int>();
            foreach (MlaPrecision precision in Enum.GetValues<MlaPrecision>())
            {
                foreach (TensorType type in (TensorType[])[TensorType.BFloat16, TensorType.Float16, TensorType.Float32])
                {
                    foreach ((int inputs, int outputs) in ((int, int)[])[(1, 1), (2, 17), (31, 33), (300, 150), (512, 128), (513, 16), (1100, 290), (1026, 47)])
                    {
                        cases.Add(precision, type, inputs, outputs);
                    }
                }
            }

            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void A_product_is_as_near_to_the_exact_one_as_its_precision_says_whatever_the_number_of_rows(MlaPrecision precision, TensorType type, int inputs, int outputs)
    {
        Linear linear = Load(type, inputs, outputs);
        float[] weights = RandomWeights.Of(type, inputs * outputs);
        float[] x = RandomWeights.Values(MostRows * inputs, seed: 3);
        double[] exact = Exact(x, weights, MostRows, inputs, outputs);
        float[] expected = new float[MostRows * outputs];
        using MlaExecutor one = new(1);
        using MlaExecutor three = new(3);
        linear.Multiply(x, expected, MostRows, one, precision);
        AssertNear(precision, exact, expected);
        foreach (int rows in (int[])[.. Enumerable.Range(1, 40), 256])
        {
            foreach (MlaExecutor executor in (MlaExecutor[])[one, three])
            {
                float[] found = new float[rows * outputs];
                Array.Fill(found, float.NaN);
                linear.Multiply(x.AsSpan(0, rows * inputs), found, rows, executor, precision);
                Assert.Equal(expected[..found.Length], found);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void A_row_has_the_same_bits_wherever_it_stands(MlaPrecision precision, TensorType type, int inputs, int outputs)
    {
        Linear linear = Load(type, inputs, outputs);
        using MlaExecutor executor = new(2);
        float[] row = RandomWeights.Values(inputs, seed: 5);
        float[] alone = new float[outputs];
        linear.Multiply(row, alone, 1, executor, precision);
        foreach (int place in (int[])[0, 3, 11, 15, 31, 60, 63])
        {
            // What is not finite beside it does not reach it.
            float[] x = RandomWeights.Values(64 * inputs, seed: 6);
            Array.Fill(x, float.NaN);
            row.CopyTo(x, place * inputs);
            float[] found = new float[64 * outputs];
            linear.Multiply(x, found, 64, executor, precision);
            Assert.Equal(alone, found[(place * outputs)..((place + 1) * outputs)]);
        }
    }

    /// <summary>49 chunks of the most rows leave so few that they are no tile.</summary>
    [Theory]
    [InlineData(MlaPrecision.Highest)]
    [InlineData(MlaPrecision.High)]
    [InlineData(MlaPrecision.Medium)]
    public void A_last_chunk_of_few_rows_has_the_bits_that_they_have_alone(MlaPrecision precision)
    {
        const int Rows = (49 * ProjectionKernels.MostChunkRows) + 2;
        const int Inputs = 37;
        const int Outputs = 19;
        Linear linear = Load(TensorType.BFloat16, Inputs, Outputs);
        using MlaExecutor executor = new(2);
        float[] x = RandomWeights.Values(Rows * Inputs, seed: 3);
        float[] found = new float[Rows * Outputs];
        linear.Multiply(x, found, Rows, executor, precision);
        for (int row = Rows - 5; row < Rows; row++)
        {
            float[] alone = new float[Outputs];
            linear.Multiply(x.AsSpan(row * Inputs, Inputs), alone, 1, executor, precision);
            Assert.Equal(alone, found[(row * Outputs)..((row + 1) * Outputs)]);
        }
    }

    [Fact]
    public void What_cannot_be_taken_as_bfloat16_stays_float_and_says_so()
    {
        string? refusal = ProductCores.Refusal(ProductCores.All[0], PanelFormats.Of(TensorType.Float8E4M3), long.MaxValue, MlaPrecision.Medium);
        Assert.NotNull(refusal);
        Assert.Equal(MlaPrecision.Highest, ProductCores.First(PanelFormats.Of(TensorType.Float8E4M3), long.MaxValue, MlaPrecision.Medium).Precision);
        Assert.Equal(MlaPrecision.Highest, ProductCores.First(PanelFormats.Of(TensorType.BFloat16), 1, MlaPrecision.Highest).Precision);
        Linear linear = Load(TensorType.BFloat16, 4, 4);
        using MlaExecutor executor = new(1);
        Assert.Throws<ArgumentOutOfRangeException>("precision", () => linear.Multiply(new float[4], new float[4], 1, executor, (MlaPrecision)3));
    }

    [Fact]
    public void Where_there_are_instructions_for_it_they_multiply()
    {
        MlaPrecision found = ProductCores.First(PanelFormats.Of(TensorType.BFloat16), 1, MlaPrecision.Medium).Precision;
        Assert.Equal(MatrixTargets.Any ? MlaPrecision.Medium : MlaPrecision.Highest, found);
        Assert.Equal(MatrixInstructions.AmxRefusal is null ? MlaPrecision.High : MlaPrecision.Highest, ProductCores.First(PanelFormats.Of(TensorType.BFloat16), 1, MlaPrecision.High).Precision);
    }

    /// <summary>Weights that are no bfloat16 are taken as terms where there are so many that memory is the limit of a single row.</summary>
    [Theory]
    [InlineData(MlaPrecision.Medium, TensorType.Float16, 2100)]
    [InlineData(MlaPrecision.Medium, TensorType.Float32, 1061)]
    [InlineData(MlaPrecision.High, TensorType.Float16, 2100)]
    [InlineData(MlaPrecision.High, TensorType.Float32, 1061)]
    public void Many_weights_of_other_types_are_taken_as_terms(MlaPrecision precision, TensorType type, int inputs)
    {
        const int Outputs = 1003;
        const int Rows = 13;
        PackedMatrix matrix = PackedMatrix.Pack(1, 1, new float[1]);
        Assert.Equal(MlaPrecision.Highest, ProductCores.First(matrix, precision).Precision);
        MlaPrecision ofTerms = ProductCores.First(PanelFormats.Of(type), 4 << 20, precision).Precision;
        Assert.Equal(ProductCores.First(PanelFormats.Of(TensorType.BFloat16), 1, precision).Precision, ofTerms);
        Linear linear = Load(type, inputs, Outputs);
        Assert.True(linear.Bytes >= 4 << 20);
        float[] x = RandomWeights.Values(Rows * inputs, seed: 3);
        float[] found = new float[Rows * Outputs];
        using MlaExecutor executor = new(2);
        linear.Multiply(x, found, Rows, executor, precision);
        AssertNear(precision, Exact(x, RandomWeights.Of(type, inputs * Outputs), Rows, inputs, Outputs), found);
        float[] highest = new float[Rows * Outputs];
        linear.Multiply(x, highest, Rows, executor);
        Assert.Equal(ofTerms != MlaPrecision.Highest, !highest.AsSpan().SequenceEqual(found));
        foreach (int rows in (int[])[1, 2, 3, 4, 5])
        {
            float[] few = new float[rows * Outputs];
            linear.Multiply(x.AsSpan(0, rows * inputs), few, rows, executor, precision);
            Assert.Equal(found[..few.Length], few);
        }
    }

    private static void AssertNear(MlaPrecision precision, double[] exact, float[] found)
    {
        double most = precision == MlaPrecision.Medium ? 3e-3 : 1e-5;
        double error = 0;
        double norm = 0;
        for (int i = 0; i < exact.Length; i++)
        {
            error += (exact[i] - found[i]) * (exact[i] - found[i]);
            norm += exact[i] * exact[i];
        }

        Assert.True(Math.Sqrt(error / norm) <= most, $"{Math.Sqrt(error / norm)} relative at {precision}");
    }

    private static double[] Exact(float[] x, float[] weights, int rows, int inputs, int outputs)
    {
        double[] exact = new double[rows * outputs];
        for (int row = 0; row < rows; row++)
        {
            for (int output = 0; output < outputs; output++)
            {
                double sum = 0;
                for (int k = 0; k < inputs; k++)
                {
                    sum += (double)x[(row * inputs) + k] * weights[(output * inputs) + k];
                }

                exact[(row * outputs) + output] = sum;
            }
        }

        return exact;
    }

    private static Linear Load(TensorType type, int inputs, int outputs)
    {
        InMemoryCheckpoint checkpoint = new();
        checkpoint.Add(Name + ".weight", [outputs, inputs], RandomWeights.Of(type, inputs * outputs), type);
        return Linear.Load(checkpoint, Name, inputs, outputs);
    }
}
