using System.Runtime.InteropServices;
using MlaGen.Runtime;
using MlaGen.Tests.MachineCode;

namespace MlaGen.Tests.Numerics;

/// <summary>Codes of 16 bits in two planes of bytes, as columns of a panel and as rows.</summary>
public sealed class PlaneQuantizationTests
{
    private const int Width = PlaneQuantization.Width;

    /// <summary>Two scales together bring sums of a 256th of the codes' products back.</summary>
    private const double Unit = 1.0 / 16;

    public static TheoryData<string, int> Kinds => QuantizedVectors.Kinds(64, 192, 512, 1024, 4096);

    [Avx512Bf16Theory]
    [MemberData(nameof(Kinds))]
    public void A_vector_is_its_codes_times_its_scale(string kind, int depth)
    {
        float[][] vectors = Vectors(kind, depth);
        double most = Math.Min(32639, 720_000 / Math.Sqrt(depth));
        foreach (((int[] codes, float scale), float[] vector) in Panel(vectors).Zip(vectors).Concat(Rows(vectors).Zip(vectors)))
        {
            double magnitude = vector.Max(Math.Abs);
            int largest = codes.Max(Math.Abs);
            Assert.True(kind == "subnormal" ? largest <= most : magnitude == 0 ? largest == 0 : Math.Abs(largest - most) < 1, $"the largest is {largest}, not {most}");

            // Half a unit, and what float32 rounds of codes as large as these: where the factor is as large as it can be, of that.
            double allowed = (0.504 * Math.Max(magnitude / most, 6e-39)) + (largest * (double)float.Epsilon);
            Assert.All(codes.Zip(vector), pair => Assert.InRange(Math.Abs((pair.First * (double)scale * Unit) - pair.Second), 0, allowed));
        }
    }

    /// <summary>What sums in int32 take at most, of vectors that are as long as they can be.</summary>
    [Avx512Bf16Theory]
    [InlineData(64)]
    [InlineData(512)]
    [InlineData(65536)]
    public void No_sum_of_products_overflows(int depth)
    {
        foreach ((int[] codes, _) in Panel(Vectors("equal", depth)).Concat(Rows(Vectors("equal", depth))))
        {
            long sum = codes.Sum(static code =>
            {
                (long high, long low) = ((code + 128) >> 8, (sbyte)code);
                return (256 * high * high) + (2 * high * low);
            });
            Assert.InRange(sum, 1, int.MaxValue);
        }
    }

    [Avx512Bf16Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    [InlineData(float.NegativeInfinity)]
    public void What_is_not_finite_makes_its_own_vector_no_number_and_no_other(float poison)
    {
        float[][] vectors = Vectors("normal", 64);
        (int[] Codes, float Scale)[] clean = [.. Panel(vectors), .. Rows(vectors)];
        foreach (int element in (int[])[0, 1, 15, 63])
        {
            float before = vectors[3][element];
            vectors[3][element] = poison;
            (int[] Codes, float Scale)[] found = [.. Panel(vectors), .. Rows(vectors)];
            vectors[3][element] = before;
            for (int i = 0; i < found.Length; i++)
            {
                if (i % Width == 3)
                {
                    Assert.True(float.IsNaN(found[i].Scale), $"element {element}, vector {i}: {found[i].Scale}");
                }
                else
                {
                    Assert.Equal(clean[i].Scale, found[i].Scale);
                    Assert.Equal(clean[i].Codes, found[i].Codes);
                }
            }
        }
    }

    [Avx512Bf16Theory]
    [MemberData(nameof(Kinds))]
    public void Panels_and_rows_agree(string kind, int depth)
    {
        float[][] vectors = Vectors(kind, depth);
        foreach (((int[] Codes, float Scale) panel, (int[] Codes, float Scale) row) in Panel(vectors).Zip(Rows(vectors)))
        {
            Assert.Equal(panel.Scale, row.Scale);
            Assert.Equal(panel.Codes, row.Codes);
        }
    }

    private static float[][] Vectors(string kind, int depth) => [.. Enumerable.Range(0, Width).Select(i => QuantizedVectors.Of(kind, depth, new Random((depth * Width) + i)))];

    private static (int[] Codes, float Scale)[] Panel(float[][] vectors)
    {
        int depth = vectors[0].Length;
        float[] floats = [.. from d in Enumerable.Range(0, depth) from vector in vectors select vector[d]];
        uint[] planes = new uint[2 * depth / 4 * Width];
        float[] scales = new float[Width];
        PlaneQuantization.QuantizePanel(ref floats[0], depth, ref planes[0], ref scales[0]);
        sbyte[] bytes = MemoryMarshal.Cast<uint, sbyte>(planes.AsSpan()).ToArray();
        return [.. Enumerable.Range(0, Width).Select(column => (Enumerable.Range(0, depth).Select(d =>
        {
            int place = (((d / 4 * Width) + column) * 4) + (d % 4);
            return (256 * bytes[place]) + bytes[(depth * Width) + place];
        }).ToArray(), scales[column]))];
    }

    private static (int[] Codes, float Scale)[] Rows(float[][] vectors)
    {
        const int Stride = PlaneQuantization.Step + 5;
        int depth = vectors[0].Length;
        int plane = depth / PlaneQuantization.Step * Stride;
        return [.. vectors.Select(vector =>
        {
            byte[] planes = new byte[2 * plane];
            float scale = PlaneQuantization.Quantize(ref vector[0], depth, ref planes[0], Stride, plane);
            return (Enumerable.Range(0, depth).Select(d =>
            {
                int place = (d / PlaneQuantization.Step * Stride) + (d % PlaneQuantization.Step);
                return (256 * (sbyte)planes[place]) + (sbyte)planes[plane + place];
            }).ToArray(), scale);
        })];
    }
}
