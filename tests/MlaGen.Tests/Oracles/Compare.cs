using System.Numerics;
using System.Runtime.InteropServices;
using Xunit.Sdk;

namespace MlaGen.Tests.Oracles;

/// <summary>Comparison of a result with its reference.</summary>
internal static class Compare
{
    /// <summary><c>‖actual - expected‖ / ‖expected‖</c> over the elements that are finite in both.</summary>
    public static double RelativeError<TActual, TExpected>(ReadOnlySpan<TActual> actual, ReadOnlySpan<TExpected> expected)
        where TActual : IFloatingPoint<TActual>
        where TExpected : IFloatingPoint<TExpected>
    {
        double difference = 0;
        double norm = 0;
        for (int i = 0; i < expected.Length; i++)
        {
            double a = double.CreateTruncating(actual[i]);
            double e = double.CreateTruncating(expected[i]);
            if (double.IsFinite(a) && double.IsFinite(e))
            {
                difference += (a - e) * (a - e);
                norm += e * e;
            }
        }

        return difference == 0 ? 0 : Math.Sqrt(difference / norm);
    }

    /// <summary>Says what is wrong with <paramref name="actual"/>; nothing when it is within <paramref name="tolerance"/>.</summary>
    public static string? Explain<TActual, TExpected>(ReadOnlySpan<TActual> actual, ReadOnlySpan<TExpected> expected, Tolerance tolerance)
        where TActual : IFloatingPoint<TActual>
        where TExpected : IFloatingPoint<TExpected>
    {
        if (actual.Length != expected.Length)
        {
            return $"{actual.Length} elements, expected {expected.Length}";
        }

        for (int i = 0; i < expected.Length; i++)
        {
            double a = double.CreateTruncating(actual[i]);
            double e = double.CreateTruncating(expected[i]);
            if (!double.IsFinite(a) || !double.IsFinite(e))
            {
                if (!a.Equals(e))
                {
                    return $"element {i} is {a:R}, expected {e:R}";
                }
            }
            else if (Math.Abs(a - e) > Math.Max(tolerance.Absolute, tolerance.Relative * Math.Abs(e)))
            {
                return $"element {i} is {a:R}, expected {e:R}: {Math.Abs(a - e):E2} apart, allowed {tolerance.Absolute:E2} or {tolerance.Relative:E2} of it";
            }
        }

        double error = RelativeError(actual, expected);
        return error <= tolerance.RelativeError ? null : $"relative error {error:E3}, allowed {tolerance.RelativeError:E3}";
    }

    /// <summary>Fails, naming <paramref name="what"/>, unless <see cref="Explain"/> has nothing to say.</summary>
    public static void AssertClose<TActual, TExpected>(string what, ReadOnlySpan<TActual> actual, ReadOnlySpan<TExpected> expected, Tolerance tolerance)
        where TActual : IFloatingPoint<TActual>
        where TExpected : IFloatingPoint<TExpected>
    {
        if (Explain(actual, expected, tolerance) is { } problem)
        {
            throw new XunitException($"{what}: {problem}");
        }
    }

    /// <summary>Fails, naming <paramref name="what"/>, unless both are the same bit for bit, or both no number: which NaN it is says nothing.</summary>
    public static void AssertSameNumbers(string what, ReadOnlySpan<float> actual, ReadOnlySpan<float> expected)
    {
        AssertSameBits(what, Canonical(actual), Canonical(expected));

        static float[] Canonical(ReadOnlySpan<float> values) => [.. values.ToArray().Select(static value => float.IsNaN(value) ? float.NaN : value)];
    }

    /// <summary>Fails, naming <paramref name="what"/>, unless both are the same bit for bit: -0 is not 0 here, and a NaN is only itself.</summary>
    public static void AssertSameBits(string what, ReadOnlySpan<float> actual, ReadOnlySpan<float> expected)
    {
        if (actual.Length != expected.Length)
        {
            throw new XunitException($"{what}: {actual.Length} elements, expected {expected.Length}");
        }

        int same = MemoryMarshal.Cast<float, int>(actual).CommonPrefixLength(MemoryMarshal.Cast<float, int>(expected));
        if (same < actual.Length)
        {
            throw new XunitException($"{what}: element {same} is {actual[same]:R} ({BitConverter.SingleToInt32Bits(actual[same]):X8}), "
                + $"expected {expected[same]:R} ({BitConverter.SingleToInt32Bits(expected[same]):X8})");
        }
    }
}
