using System.Runtime.InteropServices;
using MlaGen.Runtime;
using MlaGen.Tests.MachineCode;

namespace MlaGen.Tests.Numerics;

/// <summary>Codes of 16 and 24 bits in planes of bytes, as columns of a panel and as rows.</summary>
public sealed class PlaneQuantizationTests
{
    private const int Width = PlaneQuantization.Width;

    private static readonly int[] _planeCounts = [2, 3];

    public static TheoryData<string, int> Kinds => QuantizedVectors.Kinds(64, 192, 512, 1024, 4096);

    [Avx512Bf16Theory]
    [MemberData(nameof(Kinds))]
    public void A_vector_is_its_codes_times_its_scale(string kind, int depth)
    {
        float[][] vectors = Vectors(kind, depth);
        foreach (int planes in _planeCounts)
        {
            // Two scales together bring sums of the codes' products back, without the bytes that are left out: a 256th, or a 65,536th.
            double unit = planes == 2 ? 1.0 / 16 : 1.0 / 256;
            double most = planes == 2 ? Math.Min(32639, 720_000 / Math.Sqrt(depth)) : Math.Min(8_355_000, (int.MaxValue / depth) - 83_000);
            foreach (((int[] codes, float scale), float[] vector) in Panel(vectors, planes).Zip(vectors).Concat(Rows(vectors, planes).Zip(vectors)))
            {
                double magnitude = vector.Max(Math.Abs);
                int largest = codes.Max(Math.Abs);
                Assert.True(kind == "subnormal" ? largest <= most : magnitude == 0 ? largest == 0 : Math.Abs(largest - most) < 1 + (most * 2e-7), $"the largest is {largest}, not {most}");

                // Half a unit, and what float32 rounds of codes as large as these: where the factor is as large as it can be, of that.
                double allowed = ((0.504 + (most * 2e-7)) * Math.Max(magnitude / most, 6e-39)) + (largest * (double)float.Epsilon);
                Assert.All(codes.Zip(vector), pair => Assert.InRange(Math.Abs((pair.First * (double)scale * unit) - pair.Second), 0, allowed));
            }
        }
    }

    /// <summary>What sums in int32 take at most, of vectors that are as long as they can be.</summary>
    [Avx512Bf16Theory]
    [InlineData(64)]
    [InlineData(512)]
    [InlineData(2048)]
    [InlineData(65536)]
    public void No_sum_of_products_overflows(int depth)
    {
        float[][] vectors = Vectors("equal", depth);
        foreach ((int[] codes, _) in Panel(vectors, planes: 2).Concat(Rows(vectors, planes: 2)))
        {
            long sum = codes.Sum(static code =>
            {
                (long high, long low) = ((code + 128) >> 8, (sbyte)code);
                return (256 * high * high) + (2 * high * low);
            });
            Assert.InRange(sum, 1, int.MaxValue);
        }

        // Of three planes, with bytes that are as unlucky as the largest code allows.
        foreach ((int[] codes, _) in Panel(vectors, planes: 3).Concat(Rows(vectors, planes: 3)))
        {
            int largest = codes.Max(Math.Abs);
            long high = (largest + 128 + 32768) >> 16;
            long middle = high == 0 ? (largest + 128) >> 8 : 128;
            Assert.InRange(depth * ((256 * 2 * high * middle) + (2 * high * 128) + (middle * middle)), 1, int.MaxValue);
        }
    }

    [Avx512Bf16Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    [InlineData(float.NegativeInfinity)]
    public void What_is_not_finite_makes_its_own_vector_no_number_and_no_other(float poison)
    {
        float[][] vectors = Vectors("normal", 64);
        (int[] Codes, float Scale)[] clean = All();
        foreach (int element in (int[])[0, 1, 15, 63])
        {
            float before = vectors[3][element];
            vectors[3][element] = poison;
            (int[] Codes, float Scale)[] found = All();
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

        (int[] Codes, float Scale)[] All() => [.. _planeCounts.SelectMany(planes => Panel(vectors, planes).Concat(Rows(vectors, planes)))];
    }

    [Avx512Bf16Theory]
    [MemberData(nameof(Kinds))]
    public void Panels_and_rows_agree(string kind, int depth)
    {
        float[][] vectors = Vectors(kind, depth);
        foreach (((int[] Codes, float Scale) panel, (int[] Codes, float Scale) row) in _planeCounts.SelectMany(planes => Panel(vectors, planes).Zip(Rows(vectors, planes))))
        {
            Assert.Equal(panel.Scale, row.Scale);
            Assert.Equal(panel.Codes, row.Codes);
        }
    }

    private static float[][] Vectors(string kind, int depth) => [.. Enumerable.Range(0, Width).Select(i => QuantizedVectors.Of(kind, depth, new Random((depth * Width) + i)))];

    private static (int[] Codes, float Scale)[] Panel(float[][] vectors, int planes)
    {
        int depth = vectors[0].Length;
        float[] floats = [.. from d in Enumerable.Range(0, depth) from vector in vectors select vector[d]];
        uint[] words = new uint[planes * depth / 4 * Width];
        float[] scales = new float[Width];
        PlaneQuantization.QuantizePanel(ref floats[0], depth, planes, ref words[0], ref scales[0]);
        sbyte[] bytes = MemoryMarshal.Cast<uint, sbyte>(words.AsSpan()).ToArray();
        return [.. Enumerable.Range(0, Width).Select(column => (
            Enumerable.Range(0, depth).Select(d => Code(bytes, (((d / 4 * Width) + column) * 4) + (d % 4), depth * Width, planes)).ToArray(),
            scales[column]))];
    }

    private static (int[] Codes, float Scale)[] Rows(float[][] vectors, int planes)
    {
        const int Stride = PlaneQuantization.Step + 5;
        int depth = vectors[0].Length;
        int plane = depth / PlaneQuantization.Step * Stride;
        return [.. vectors.Select(vector =>
        {
            byte[] bytes = new byte[planes * plane];
            float scale = PlaneQuantization.Quantize(ref vector[0], depth, planes, ref bytes[0], Stride, plane);
            sbyte[] signed = MemoryMarshal.Cast<byte, sbyte>(bytes.AsSpan()).ToArray();
            return (Enumerable.Range(0, depth).Select(d => Code(signed, (d / PlaneQuantization.Step * Stride) + (d % PlaneQuantization.Step), plane, planes)).ToArray(), scale);
        })];
    }

    /// <summary>A code of its bytes, the highest first.</summary>
    private static int Code(sbyte[] bytes, int place, int planeBytes, int planes) => Enumerable.Range(0, planes).Aggregate(0, (code, plane) => (256 * code) + bytes[place + (plane * planeBytes)]);
}
