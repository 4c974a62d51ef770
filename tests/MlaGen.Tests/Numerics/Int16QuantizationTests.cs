using System.Runtime.InteropServices;
using MlaGen.Runtime;
using MlaGen.Tests.MachineCode;

namespace MlaGen.Tests.Numerics;

/// <summary>How near codes and scale come to a vector, and that no sum of products of codes overflows int32.</summary>
public sealed class Int16QuantizationTests
{
    private const int Width = Int16Quantization.Width;

    public static TheoryData<string, int> Kinds => QuantizedVectors.Kinds(16, 32, 192, 512);

    [Avx512Bf16Theory]
    [MemberData(nameof(Kinds))]
    public void A_vector_is_its_whole_numbers_times_its_scale(string kind, int depth)
    {
        float[][] vectors = [.. Enumerable.Range(0, Width).Select(i => QuantizedVectors.Of(kind, depth, new Random((depth * Width) + i)))];
        foreach ((int[] numbers, float scale, float[] vector) in Panel(vectors).Zip(vectors, (scaled, vector) => (scaled.Numbers, scaled.Scale, vector))
            .Concat(Rows(vectors).Zip(vectors, (scaled, vector) => (scaled.Numbers, scaled.Scale, vector))))
        {
            Assert.All(numbers, number => Assert.InRange(number, -short.MaxValue, short.MaxValue));

            // By Cauchy and Schwarz, of two vectors together half of the bits each.
            double length = Math.Sqrt(numbers.Sum(number => (double)number * number));
            Assert.True(length * length < 1L << 31, $"{length} long");
            double norm = Math.Sqrt(vector.Sum(element => (double)element * element));
            Assert.Equal(norm == 0, length == 0);
            if (kind is "equal" || (kind is "normal" && depth > 16))
            {
                Assert.InRange(length, 46300, 46341);
            }

            // Half a unit of whichever of both limits binds; of the smallest floats, half of the smallest.
            double unit = Math.Max(norm / (46338 - Math.Sqrt(depth)), vector.Max(Math.Abs) / short.MaxValue);
            double allowed = (0.5001 * unit) + (numbers.Max(Math.Abs) * (double)float.Epsilon);
            Assert.All(numbers.Zip(vector), pair => Assert.InRange(Math.Abs((pair.First * (double)scale) - pair.Second), 0, allowed));
        }
    }

    [Avx512Bf16Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    [InlineData(float.NegativeInfinity)]
    public void What_is_not_finite_makes_its_own_vector_no_number_and_no_other(float poison)
    {
        float[][] vectors = [.. Enumerable.Range(0, Width).Select(i => QuantizedVectors.Of("normal", 64, new Random(i)))];
        (int[] Numbers, float Scale)[] clean = [.. Panel(vectors), .. Rows(vectors)];
        foreach (int element in (int[])[0, 1, 15, 63])
        {
            float before = vectors[3][element];
            vectors[3][element] = poison;
            (int[] Numbers, float Scale)[] scaled = [.. Panel(vectors), .. Rows(vectors)];
            vectors[3][element] = before;
            for (int i = 0; i < scaled.Length; i++)
            {
                if (i % Width == 3)
                {
                    Assert.True(float.IsNaN(scaled[i].Scale), $"element {element}, vector {i}: {scaled[i].Scale}");
                }
                else
                {
                    Assert.Equal(clean[i].Scale, scaled[i].Scale);
                    Assert.Equal(clean[i].Numbers, scaled[i].Numbers);
                }
            }
        }
    }

    /// <summary>A vector's numbers are the same as a column of a panel and as a row, up to the order in which its squares are summed.</summary>
    [Avx512Bf16Theory]
    [InlineData(64)]
    [InlineData(192)]
    public void Panels_and_rows_agree(int depth)
    {
        float[][] vectors = [.. Enumerable.Range(0, Width).Select(i => QuantizedVectors.Of("normal", depth, new Random(i)))];
        foreach (((int[] Numbers, float Scale) panel, (int[] Numbers, float Scale) row) in Panel(vectors).Zip(Rows(vectors)))
        {
            Assert.Equal(panel.Scale, row.Scale, panel.Scale * 1e-6f);
            Assert.All(panel.Numbers.Zip(row.Numbers), pair => Assert.InRange(pair.First - pair.Second, -1, 1));
        }
    }

    private static (int[] Numbers, float Scale)[] Panel(float[][] vectors)
    {
        int depth = vectors[0].Length;
        float[] floats = [.. from d in Enumerable.Range(0, depth) from vector in vectors select vector[d]];
        uint[] pairs = new uint[depth / 2 * Width];
        float[] scales = new float[Width];
        Int16Quantization.QuantizePanel(ref floats[0], depth, ref pairs[0], ref scales[0]);
        short[] numbers = MemoryMarshal.Cast<uint, short>(pairs.AsSpan()).ToArray();
        return Enumerable.Range(0, Width).Select(column => (Enumerable.Range(0, depth).Select(d => (int)numbers[(((d / 2 * Width) + column) * 2) + (d % 2)]).ToArray(), scales[column])).ToArray();
    }

    private static (int[] Numbers, float Scale)[] Rows(float[][] vectors)
    {
        const int Apart = 3;
        int depth = vectors[0].Length;
        float[] floats = [.. vectors.SelectMany(vector => vector.Concat(Enumerable.Repeat(float.NaN, Apart)))];
        ushort[] numbers = new ushort[vectors.Length * (depth + Apart)];
        float[] scales = new float[vectors.Length];
        Int16Quantization.QuantizeRows(ref floats[0], depth + Apart, vectors.Length, depth, ref numbers[0], depth + Apart, ref scales[0]);
        return Enumerable.Range(0, vectors.Length).Select(row => (numbers.AsSpan(row * (depth + Apart), depth).ToArray().Select(number => (int)(short)number).ToArray(), scales[row])).ToArray();
    }
}
