using System.Runtime.InteropServices;
using MlaGen.Runtime;
using MlaGen.Tests.Golden;

namespace MlaGen.Tests.MachineCode;

/// <summary>
/// Emitted cores of machine code, their routines interpreted: as exact as their precision says, on machines without the instructions, too; and where the machine
/// has them, the same to the last bit as what it computes.
/// </summary>
public sealed class InterpretedCoreTests
{
    /// <summary>Whole tiles, a short one, and one token more than a block of the smallest tile.</summary>
    private const int Tokens = 107;

    private static readonly (MlaShape Shape, MatrixCore Core)[] _cores =
    [
        .. Cores<Medium8Attention>(),
        .. Cores<Medium16Attention>(),
        .. Cores<Medium40Attention>(),
        .. Cores<MediumFloatAttention>(),
    ];

    public static TheoryData<int> CoreIndices => [.. Enumerable.Range(0, _cores.Length)];

    [Theory]
    [MemberData(nameof(CoreIndices))]
    public void Routines_compute_attention_as_exactly_as_their_precision_says(int index)
    {
        (MlaShape shape, MatrixCore core) = _cores[index];
        if (SimdTiers.Current != SimdTier.Vector512)
        {
            return;
        }

        int width = shape.CacheRowElements;
        float[] queries = [.. CounterRandom.Hidden("interpreted queries", shape.Heads, width).Select(value => value * 1.5f / MathF.Sqrt(width))];
        ushort[] rows = [.. CounterRandom.Hidden("interpreted rows", Tokens, width).Select(BFloat16Conversion.FromSingle)];
        var interpreted = new InterpretedCore(core, width, shape.KvLoraRank, shape.Heads);
        float[] packed = interpreted.Pack(queries, scale: 1);
        interpreted.Attend(MemoryMarshal.AsBytes(rows.AsSpan(0, Tokens / 2 * width)).ToArray(), packed);
        interpreted.Attend(MemoryMarshal.AsBytes(rows.AsSpan(Tokens / 2 * width)).ToArray(), packed);

        double[] expected = Expected(shape, queries, rows);
        float[] sums = interpreted.Sums;
        double error = 0;
        double norm = 0;
        for (int i = 0; i < expected.Length; i++)
        {
            double found = sums[i] / sums[expected.Length + core.Layout.Queries.Columns + (i / shape.KvLoraRank)];
            error += (found - expected[i]) * (found - expected[i]);
            norm += expected[i] * expected[i];
        }

        Assert.InRange(Math.Sqrt(error / norm), 0, core.Precision == MlaPrecision.High ? 1e-5 : 3e-3);
    }

    [Theory]
    [MemberData(nameof(CoreIndices))]
    public void Where_the_machine_has_the_instructions_it_computes_the_same_bits(int index)
    {
        (MlaShape shape, MatrixCore core) = _cores[index];
        if ((Targets.Refusal(core.Target) ?? core.Refusal) is not null)
        {
            return;
        }

        int width = shape.CacheRowElements;
        byte[] rows = MemoryMarshal.AsBytes(CounterRandom.Hidden("bits rows", Tokens, width).Select(BFloat16Conversion.FromSingle).ToArray().AsSpan()).ToArray();
        var interpreted = new InterpretedCore(core, width, shape.KvLoraRank, shape.Heads);
        float[] packed = interpreted.Pack(CounterRandom.Hidden("bits queries", shape.Heads, width), scale: 0.05f);
        interpreted.Attend(rows, packed);

        float[] sums = new float[interpreted.Sums.Length];
        int statistics = shape.Heads * shape.KvLoraRank;
        sums.AsSpan(statistics, core.Layout.Queries.Columns).Fill(float.NegativeInfinity);
        float[] scores = GC.AllocateArray<float>(core.Layout.ScoreLength, pinned: true);
        using var executor = new MlaExecutor(1);
        executor.RunApart(
            (_, _) =>
            {
                var block = new AbsorbedBlock
                {
                    Rows = ref rows[0],
                    Tokens = Tokens,
                    Upcoming = ref rows[0],
                    Queries = ref MemoryMarshal.AsBytes(packed.AsSpan())[0],
                    Scores = ref scores[0],
                    Sums = ref sums[0],
                    Statistics = ref sums[statistics],
                };
                core.Attend(ref block);
            },
            units: 1,
            CancellationToken.None);
        Assert.Equal(interpreted.Sums.Select(BitConverter.SingleToInt32Bits), sums.Select(BitConverter.SingleToInt32Bits));
    }

    private static IEnumerable<(MlaShape, MatrixCore)> Cores<T>()
        where T : class, IMlaAttention<T>
        => T.Definition.Kernels.Absorbed.OfType<MatrixCore>().Select(core => (T.Shape, core));

    private static double[] Expected(MlaShape shape, float[] queries, ushort[] rows)
    {
        int width = shape.CacheRowElements;
        double[] output = new double[shape.Heads * shape.KvLoraRank];
        double[] values = [.. rows.Select(value => (double)BitConverter.UInt32BitsToSingle((uint)value << 16))];
        for (int head = 0; head < shape.Heads; head++)
        {
            double[] weights = [.. Enumerable.Range(0, Tokens).Select(token => Math.Exp(Enumerable.Range(0, width).Sum(d => values[(token * width) + d] * queries[(head * width) + d])))];
            double sum = weights.Sum();
            for (int i = 0; i < shape.KvLoraRank; i++)
            {
                output[(head * shape.KvLoraRank) + i] = Enumerable.Range(0, Tokens).Sum(token => weights[token] * values[(token * width) + i]) / sum;
            }
        }

        return output;
    }
}
