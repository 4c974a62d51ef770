using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using MlaGen;

namespace Explorer.Measuring;

/// <summary>How fast the processor reads memory: sums over all of it. Beyond the caches that is the DRAM read bandwidth.</summary>
/// <param name="crew">Threads that read at once, each its own part.</param>
/// <param name="kernel">What tables call it.</param>
/// <param name="buffers">What is read.</param>
internal sealed class ReadBandwidth(Crew crew, string kernel, params float[][] buffers) : Workload
{
    /// <summary>Floats in 1 GB, which no cache holds.</summary>
    private const int DramFloats = 1 << 28;

    /// <summary>Floats that a thread reads before it takes the next piece.</summary>
    private const int PieceFloats = 1 << 20;

    private readonly float[] _results = new float[16 * crew.Threads];

    public override string Kernel => kernel;

    public override long Operations => 0;

    public override long Bytes => buffers.Sum(static buffer => (long)buffer.Length * sizeof(float));

    /// <summary>Reads 1 GB.</summary>
    public static ReadBandwidth OfDram(Crew crew)
    {
        float[] buffer = GC.AllocateUninitializedArray<float>(DramFloats);

        // Pages that were never written are all one page of zeros, which stays in the cache.
        crew.Run(thread =>
        {
            (int first, int end) = crew.Share(DramFloats, thread);
            buffer.AsSpan(first, end - first).Fill(1);
        });
        return new ReadBandwidth(crew, "dram read", buffer);
    }

    public override void Run()
    {
        foreach (float[] buffer in buffers)
        {
            int pieces = Math.Max(crew.Threads, buffer.Length / PieceFloats);
            crew.RunPieces(pieces, (piece, thread) =>
            {
                int first = (int)((long)buffer.Length * piece / pieces);
                int end = (int)((long)buffer.Length * (piece + 1) / pieces);
                _results[16 * thread] += SumOf(buffer.AsSpan(first, end - first));
            });
        }
    }

    private static float SumOf(ReadOnlySpan<float> values) => SimdTiers.Current switch
    {
        SimdTier.Vector512 => Sum<Vector512<float>, Width512>(values),
        SimdTier.Vector256 => Sum<Vector256<float>, Width256>(values),
        SimdTier.Vector128 => Sum<Vector128<float>, Width128>(values),
        _ => Sum<float, Width1>(values),
    };

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static float Sum<TVector, TWidth>(ReadOnlySpan<float> values)
        where TWidth : IVectorWidth<TVector>
    {
        ref float source = ref MemoryMarshal.GetReference(values);
        nuint lanes = (nuint)TWidth.Lanes;
        nuint step = 8 * lanes;
        nuint end = (nuint)values.Length / step * step;
        TVector zero = TWidth.Broadcast(0);
        TVector a0 = zero, a1 = zero, a2 = zero, a3 = zero, a4 = zero, a5 = zero, a6 = zero, a7 = zero;
        for (nuint i = 0; i < end; i += step)
        {
            a0 = TWidth.Add(a0, TWidth.Load(ref source, i));
            a1 = TWidth.Add(a1, TWidth.Load(ref source, i + lanes));
            a2 = TWidth.Add(a2, TWidth.Load(ref source, i + (2 * lanes)));
            a3 = TWidth.Add(a3, TWidth.Load(ref source, i + (3 * lanes)));
            a4 = TWidth.Add(a4, TWidth.Load(ref source, i + (4 * lanes)));
            a5 = TWidth.Add(a5, TWidth.Load(ref source, i + (5 * lanes)));
            a6 = TWidth.Add(a6, TWidth.Load(ref source, i + (6 * lanes)));
            a7 = TWidth.Add(a7, TWidth.Load(ref source, i + (7 * lanes)));
        }

        TVector low = TWidth.Add(TWidth.Add(a0, a1), TWidth.Add(a2, a3));
        TVector high = TWidth.Add(TWidth.Add(a4, a5), TWidth.Add(a6, a7));
        return TWidth.Sum(TWidth.Add(low, high));
    }
}
