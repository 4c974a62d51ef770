using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace MlaGen.Runtime;

/// <summary>Floats rounded to bfloat16, sixteen at a time, for cores that multiply pairs of them: only where there is AVX-512.</summary>
internal static class BFloat16Lanes
{
    /// <summary>Each lane rounded to nearest even, in the upper half of the lane; the lower half is zero. What is not a number stays so.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<uint> Round(Vector512<float> values)
    {
        Vector512<uint> bits = values.AsUInt32();
        Vector512<uint> rounded = bits + Vector512.Create(0x7FFFu) + ((bits >> 16) & Vector512<uint>.One);
        Vector512<uint> quiet = bits | Vector512.Create(0x00400000u);
        return Vector512.ConditionalSelect(Vector512.Equals(values, values).AsUInt32(), rounded, quiet) & Vector512.Create(0xFFFF0000u);
    }

    /// <summary>
    /// Each lane of probabilities, or of what rounding leaves of them, rounded to the nearest with halves away from zero: what is none of them is a NaN
    /// of the scores, whose lower half is zero, so that it needs no care.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<uint> RoundProbabilities(Vector512<float> values) => (values.AsUInt32() + Vector512.Create(0x8000u)) & Vector512.Create(0xFFFF0000u);

    /// <summary>Pairs of what was rounded: the first in the lower half of each lane.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<uint> Pair(Vector512<uint> first, Vector512<uint> second) => (first >> 16) | second;

    /// <summary>Rounds floats that lie one after the other.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Round(ReadOnlySpan<float> values, ref ushort destination)
    {
        int i = 0;
        for (; i <= values.Length - (2 * Vector512<float>.Count); i += 2 * Vector512<float>.Count)
        {
            Vector512<uint> low = Round(Vector512.LoadUnsafe(in values[i])) >> 16;
            Vector512<uint> high = Round(Vector512.LoadUnsafe(in values[i + Vector512<float>.Count])) >> 16;
            Vector512.Narrow(low, high).StoreUnsafe(ref destination, (nuint)i);
        }

        for (; i < values.Length; i++)
        {
            Unsafe.Add(ref destination, i) = BFloat16Conversion.FromSingle(values[i]);
        }
    }

    /// <summary>The terms of floats that lie one after the other, those of each one after the other.</summary>
    /// <param name="values">The floats.</param>
    /// <param name="count">A multiple of 32.</param>
    /// <param name="terms">How many.</param>
    /// <param name="destination">Takes the first terms.</param>
    /// <param name="termStride">Elements from some terms to the next.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Split(ref float values, int count, int terms, ref ushort destination, int termStride)
    {
        for (int i = 0; i < count; i += 2 * Vector512<float>.Count)
        {
            Vector512<float> one = Vector512.LoadUnsafe(ref values, (nuint)i);
            Vector512<float> two = Vector512.LoadUnsafe(ref values, (nuint)(i + Vector512<float>.Count));
            Vector512<uint> termOne = Round(one);
            Vector512<uint> termTwo = Round(two);
            Vector512.Narrow(termOne >> 16, termTwo >> 16).StoreUnsafe(ref destination, (nuint)i);
            for (int term = 1; term < terms; term++)
            {
                one -= termOne.AsSingle();
                two -= termTwo.AsSingle();
                (termOne, termTwo) = (RoundFinite(one), RoundFinite(two));
                Vector512.Narrow(termOne >> 16, termTwo >> 16).StoreUnsafe(ref destination, (nuint)((term * termStride) + i));
            }
        }
    }

    /// <summary>What a term leaves of a value, rounded as well. Of what is not finite nothing is left: infinity minus itself would be no number.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<uint> Rest(Vector512<float> value, Vector512<uint> term)
        => RoundFinite(value - term.AsSingle());

    /// <summary>What a term left, rounded: nothing if it is no number.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<uint> RoundFinite(Vector512<float> rest)
        => Round(Vector512.ConditionalSelect(Vector512.Equals(rest, rest), rest, Vector512<float>.Zero));

    /// <summary>Rounds what the rounding of floats that lie one after the other leaves of them.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void RoundRest(ReadOnlySpan<float> values, ref ushort destination)
    {
        int i = 0;
        for (; i <= values.Length - Vector512<float>.Count; i += Vector512<float>.Count)
        {
            var value = Vector512.LoadUnsafe(in values[i]);
            Vector512<uint> rest = Rest(value, Round(value)) >> 16;
            Vector512.Narrow(rest, rest).GetLower().StoreUnsafe(ref destination, (nuint)i);
        }

        for (; i < values.Length; i++)
        {
            float rest = values[i] - BFloat16Conversion.ToSingle(BFloat16Conversion.FromSingle(values[i]));
            Unsafe.Add(ref destination, i) = BFloat16Conversion.FromSingle(float.IsNaN(rest) ? 0 : rest);
        }
    }
}
