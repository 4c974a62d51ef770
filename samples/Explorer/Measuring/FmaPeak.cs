using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.Arm;
using MlaGen;

namespace Explorer.Measuring;

/// <summary>
/// The most multiply-adds the processor can do at the tier of this process: independent sums in registers, and nothing else. What the
/// arithmetic of every kernel is compared with.
/// </summary>
/// <param name="crew">Threads that do it at once.</param>
internal sealed class FmaPeak(Crew crew) : Workload
{
    private const int Steps = 20_000;

    // Milliseconds a run: what handing it over to other threads costs must not show, or every kernel on several threads is flattered.
    private const int PiecesPerThread = 24;

    // Converges to one: neither infinities nor denormal numbers, which some processors compute more slowly.
    private const float Factor = 0.999f;
    private const float Addend = 0.001f;

    private readonly float[] _results = new float[16 * crew.Threads];

    public override string Kernel => "fma peak";

    public override long Operations => 2L * Steps * Accumulators * Lanes * PiecesPerThread * crew.Threads;

    public override long Bytes => 0;

    // Two ports of four cycles need eight sums at once. Twenty-four fit where there are 32 registers; x86 without AVX-512 has 16.
    private static int Accumulators => SimdTiers.Current == SimdTier.Vector512 || AdvSimd.IsSupported ? 24 : 12;

    private static int Lanes => SimdTiers.Current switch
    {
        SimdTier.Vector512 => Width512.Lanes,
        SimdTier.Vector256 => Width256.Lanes,
        SimdTier.Vector128 => Width128.Lanes,
        _ => Width1.Lanes,
    };

    public override void Run() => crew.RunPieces(PiecesPerThread * crew.Threads, (_, thread) => _results[16 * thread] = SimdTiers.Current switch
    {
        SimdTier.Vector512 => Width512.Sum(Sum24<System.Runtime.Intrinsics.Vector512<float>, Width512>(Steps, Factor, Addend)),
        SimdTier.Vector256 => Width256.Sum(Sum12<System.Runtime.Intrinsics.Vector256<float>, Width256>(Steps, Factor, Addend)),
        SimdTier.Vector128 when AdvSimd.IsSupported => Width128.Sum(Sum24<System.Runtime.Intrinsics.Vector128<float>, Width128>(Steps, Factor, Addend)),
        SimdTier.Vector128 => Width128.Sum(Sum12<System.Runtime.Intrinsics.Vector128<float>, Width128>(Steps, Factor, Addend)),
        _ when AdvSimd.IsSupported => Sum24<float, Width1>(Steps, Factor, Addend),
        _ => Sum12<float, Width1>(Steps, Factor, Addend),
    });

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static TVector Sum24<TVector, TWidth>(int steps, float factor, float addend)
        where TWidth : IVectorWidth<TVector>
    {
        TVector x = TWidth.Broadcast(factor);
        TVector y = TWidth.Broadcast(addend);
        TVector a0 = y, a1 = y, a2 = y, a3 = y, a4 = y, a5 = y, a6 = y, a7 = y, a8 = y, a9 = y, a10 = y, a11 = y;
        TVector a12 = y, a13 = y, a14 = y, a15 = y, a16 = y, a17 = y, a18 = y, a19 = y, a20 = y, a21 = y, a22 = y, a23 = y;
        for (int step = 0; step < steps; step++)
        {
            a0 = TWidth.MultiplyAdd(a0, x, y);
            a1 = TWidth.MultiplyAdd(a1, x, y);
            a2 = TWidth.MultiplyAdd(a2, x, y);
            a3 = TWidth.MultiplyAdd(a3, x, y);
            a4 = TWidth.MultiplyAdd(a4, x, y);
            a5 = TWidth.MultiplyAdd(a5, x, y);
            a6 = TWidth.MultiplyAdd(a6, x, y);
            a7 = TWidth.MultiplyAdd(a7, x, y);
            a8 = TWidth.MultiplyAdd(a8, x, y);
            a9 = TWidth.MultiplyAdd(a9, x, y);
            a10 = TWidth.MultiplyAdd(a10, x, y);
            a11 = TWidth.MultiplyAdd(a11, x, y);
            a12 = TWidth.MultiplyAdd(a12, x, y);
            a13 = TWidth.MultiplyAdd(a13, x, y);
            a14 = TWidth.MultiplyAdd(a14, x, y);
            a15 = TWidth.MultiplyAdd(a15, x, y);
            a16 = TWidth.MultiplyAdd(a16, x, y);
            a17 = TWidth.MultiplyAdd(a17, x, y);
            a18 = TWidth.MultiplyAdd(a18, x, y);
            a19 = TWidth.MultiplyAdd(a19, x, y);
            a20 = TWidth.MultiplyAdd(a20, x, y);
            a21 = TWidth.MultiplyAdd(a21, x, y);
            a22 = TWidth.MultiplyAdd(a22, x, y);
            a23 = TWidth.MultiplyAdd(a23, x, y);
        }

        TVector low = Add12<TVector, TWidth>(a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11);
        TVector high = Add12<TVector, TWidth>(a12, a13, a14, a15, a16, a17, a18, a19, a20, a21, a22, a23);
        return TWidth.Add(low, high);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static TVector Sum12<TVector, TWidth>(int steps, float factor, float addend)
        where TWidth : IVectorWidth<TVector>
    {
        TVector x = TWidth.Broadcast(factor);
        TVector y = TWidth.Broadcast(addend);
        TVector a0 = y, a1 = y, a2 = y, a3 = y, a4 = y, a5 = y, a6 = y, a7 = y, a8 = y, a9 = y, a10 = y, a11 = y;
        for (int step = 0; step < steps; step++)
        {
            a0 = TWidth.MultiplyAdd(a0, x, y);
            a1 = TWidth.MultiplyAdd(a1, x, y);
            a2 = TWidth.MultiplyAdd(a2, x, y);
            a3 = TWidth.MultiplyAdd(a3, x, y);
            a4 = TWidth.MultiplyAdd(a4, x, y);
            a5 = TWidth.MultiplyAdd(a5, x, y);
            a6 = TWidth.MultiplyAdd(a6, x, y);
            a7 = TWidth.MultiplyAdd(a7, x, y);
            a8 = TWidth.MultiplyAdd(a8, x, y);
            a9 = TWidth.MultiplyAdd(a9, x, y);
            a10 = TWidth.MultiplyAdd(a10, x, y);
            a11 = TWidth.MultiplyAdd(a11, x, y);
        }

        return Add12<TVector, TWidth>(a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVector Add12<TVector, TWidth>(
        TVector a0, TVector a1, TVector a2, TVector a3, TVector a4, TVector a5, TVector a6, TVector a7, TVector a8, TVector a9, TVector a10, TVector a11)
        where TWidth : IVectorWidth<TVector>
    {
        TVector first = TWidth.Add(TWidth.Add(a0, a1), TWidth.Add(a2, a3));
        TVector second = TWidth.Add(TWidth.Add(a4, a5), TWidth.Add(a6, a7));
        TVector third = TWidth.Add(TWidth.Add(a8, a9), TWidth.Add(a10, a11));
        return TWidth.Add(TWidth.Add(first, second), third);
    }
}
