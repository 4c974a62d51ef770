using MlaGen.Runtime;
using MlaGen.Tests.MachineCode;

namespace MlaGen.Tests.Weights;

/// <summary>Products with a head's panels and with their transpose, on every core that this machine has: near to the exact ones, and a row's bits its own.</summary>
public class TransposedProductTests
{
    private const int MostRows = 70;

    /// <summary>What stands in memory that a product must not touch, and in inputs that it must not read.</summary>
    private const float Poison = float.NaN;

    // Widths of a head beside panels, pairs and lines; depths beside panels and groups of them.
    public static TheoryData<MlaPrecision, TensorType, int, int> Cases
    {
        get
        {
            var cases = new TheoryData<MlaPrecision, TensorType, int, int>();
            foreach (MlaPrecision precision in Enum.GetValues<MlaPrecision>())
            {
                foreach (TensorType type in (TensorType[])[TensorType.BFloat16, TensorType.Float16, TensorType.Float32])
                {
                    foreach ((int width, int depth) in ((int, int)[])[(1, 1), (8, 6), (16, 64), (24, 33), (40, 130), (128, 512), (192, 256), (530, 47)])
                    {
                        cases.Add(precision, type, width, depth);
                    }
                }
            }

            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void A_head_is_multiplied_both_ways_whatever_the_number_of_rows(MlaPrecision precision, TensorType type, int width, int depth)
    {
        // Two heads, whose panels are told apart; the second is the last of the matrix.
        float[] weights = RandomWeights.Of(type, 2 * width * depth);
        PackedMatrix matrix = Pack(type, weights, 2 * width, depth, width);
        int panel = PackedMatrix.PanelsFor(width);
        float[] head = weights[(width * depth)..];
        foreach (ProductCore core in Cores(precision))
        {
            AssertProducts(core, depth, width, Row, (input, output) => head[(output * depth) + input]);
            AssertProducts(core, width, depth, Transposed, (input, output) => head[(input * depth) + output]);
            if (PackedMatrix.PanelsFor(width) <= core.MostPanels)
            {
                AssertProducts(core, depth, width, Packed, (input, output) => head[(output * depth) + input]);
            }

            float[] Row(float[] inputs, int stride, int rows) => Run(core, inputs, rows, width, (ref float result, int resultStride, ref float packed, ref float scratch) =>
                core.Multiply(matrix, panel, width, ref inputs[0], stride, rows, ref result, resultStride, ref packed, ref scratch));

            // However few rows a last chunk has.
            float[] Packed(float[] inputs, int stride, int rows) => Run(core, inputs, rows, width, (ref float result, int resultStride, ref float packed, ref float scratch) =>
            {
                core.Packing.Pack(ref inputs[0], stride, rows, depth, ref packed);
                core.MultiplyRows(matrix, panel, width, ref packed, rows, ref result, resultStride, ref scratch);
            });

            float[] Transposed(float[] inputs, int stride, int rows) => Run(core, inputs, rows, depth, (ref float result, int resultStride, ref float packed, ref float scratch) =>
                core.MultiplyTransposed(matrix, panel, width, ref inputs[0], stride, rows, ref result, resultStride, ref packed, ref scratch));
        }

        float[] Run(ProductCore core, float[] inputs, int rows, int outputs, Product product)
        {
            const int Gap = 5;
            int resultStride = outputs + Gap;
            int depthOfRows = Math.Max(depth, PackedMatrix.PanelsFor(width) * PackedMatrix.PanelWidth);
            var packed = new AlignedBuffer<float>(core.Packing.Length(rows, depthOfRows));
            var scratch = new AlignedBuffer<float>(Math.Max(core.ScratchLength, core.TransposedScratchLength(width)));
            var result = new AlignedBuffer<float>(rows * resultStride);
            result.Span(0, rows * resultStride).Fill(Poison);
            packed.Span(0, (int)packed.Length).Fill(Poison);
            scratch.Span(0, (int)scratch.Length).Fill(Poison);
            using var executor = new MlaExecutor(1);
            Action<int, int> unit = (_, _) => product(ref result.Start, resultStride, ref packed.Start, ref scratch.Start);
            if (core.IsApart)
            {
                executor.RunApart(unit, 1, CancellationToken.None);
            }
            else
            {
                unit(0, 0);
            }

            float[] found = new float[rows * outputs];
            for (int row = 0; row < rows; row++)
            {
                result.Span(row * resultStride, outputs).CopyTo(found.AsSpan(row * outputs));
                Assert.All(result.Span((row * resultStride) + outputs, Gap).ToArray(), static value => Assert.Equal(Poison, value));
            }

            return found;
        }
    }

    private delegate void Product(ref float result, int resultStride, ref float packed, ref float scratch);

    private static void AssertProducts(ProductCore core, int inputs, int outputs, Func<float[], int, int, float[]> run, Func<int, int, float> weight)
    {
        // Rows are apart, as those of a head are in a batch.
        int stride = inputs + 3;
        float[] x = RandomWeights.Values(MostRows * stride, seed: 3);
        for (int row = 0; row < MostRows; row++)
        {
            x.AsSpan((row * stride) + inputs, 3).Fill(Poison);
        }

        float[] expected = run(x, stride, MostRows);
        double error = 0;
        double norm = 0;
        for (int i = 0; i < expected.Length; i++)
        {
            (int row, int output) = Math.DivRem(i, outputs);
            double exact = Enumerable.Range(0, inputs).Sum(input => (double)x[(row * stride) + input] * weight(input, output));
            error += Math.Pow(exact - expected[i], 2);
            norm += exact * exact;
        }

        double most = core.Precision == MlaPrecision.Medium ? 4e-3 : core.Precision == MlaPrecision.High ? 1e-5 : 1e-6;
        Assert.True(Math.Sqrt(error / norm) <= most, $"{Math.Sqrt(error / norm)} relative on {core.Target} at {core.Precision}, {inputs} inputs and {outputs} outputs");
        for (int rows = 1; rows <= 17; rows++)
        {
            Assert.Equal(expected[..(rows * outputs)], run(x, stride, rows));
        }

        // A row in another place, beside others that are not finite.
        float[] others = new float[x.Length];
        Array.Fill(others, Poison);
        x.AsSpan(0, inputs).CopyTo(others.AsSpan(6 * stride));
        Assert.Equal(expected[..outputs], run(others, stride, 13)[(6 * outputs)..(7 * outputs)]);
    }

    // Where there are no tiles, those of cores on tiles are interpreted.
    private static IEnumerable<ProductCore> Cores(MlaPrecision precision) => ProductCores.All
        .Select(core => core is TileProductCore && MatrixInstructions.AmxRefusal is not null && SimdTiers.Current == SimdTier.Vector512 ? new InterpretedTileProductCore(core.Precision) : core)
        .Where(core => core.Precision == precision && ProductCores.Refusal(core, PanelFormats.Of(TensorType.BFloat16), long.MaxValue, precision) is null);

    private static PackedMatrix Pack(TensorType type, float[] weights, int rows, int columns, int group)
    {
        var checkpoint = new InMemoryCheckpoint();
        checkpoint.Add("w", [rows, columns], weights, type);
        Assert.True(checkpoint.TryGetTensor("w", out CheckpointTensor? tensor));
        return PackedMatrix.Pack(rows, columns, type, (first, count, destination) => tensor.Read(first * (long)columns * type.Size(), destination[..(count * columns * type.Size())]), group);
    }
}
