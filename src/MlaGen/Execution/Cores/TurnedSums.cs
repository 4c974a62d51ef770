using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace MlaGen.Runtime;

/// <summary>Sums of values <c>[value][queries]</c>, as cores leave them that have queries in lanes. Only where there is AVX-512.</summary>
internal static class TurnedSums
{
    private const int Width = WordSquare.Width;

    /// <summary>Copies the sums of one query.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Copy(int query, ref float panel, ref float other, int values, int queries)
    {
        for (int i = 0; i < values; i++)
        {
            int place = (i * queries) + query;
            Unsafe.Add(ref other, place) = Unsafe.Add(ref panel, place);
        }
    }

    /// <summary>Turns sums back, divided.</summary>
    /// <param name="sums">Sums of a panel of queries.</param>
    /// <param name="shares">A factor for each query that counts.</param>
    /// <param name="output">Takes the output of the first query.</param>
    /// <param name="stride">Floats from an output to the next.</param>
    /// <param name="values">Elements of an output.</param>
    /// <param name="queries">Queries of a panel.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Divide(ref float sums, ReadOnlySpan<float> shares, ref float output, nint stride, int values, int queries)
    {
        Span<uint> square = stackalloc uint[Width * Width];
        Span<float> factors = stackalloc float[Width];
        for (int first = 0; first < shares.Length; first += Width)
        {
            int rows = Math.Min(Width, shares.Length - first);
            shares.Slice(first, rows).CopyTo(factors);
            Vector512<float> factor = Vector512.LoadUnsafe(ref factors[0]);
            ref float panel = ref Unsafe.Add(ref sums, first);
            for (int i = 0; i < values; i += Width)
            {
                ref float target = ref Unsafe.Add(ref output, (first * stride) + i);
                int elements = Math.Min(Width, values - i);
                for (int k = 0; k < elements; k++)
                {
                    (Vector512.LoadUnsafe(ref panel, (nuint)((i + k) * queries)) * factor).AsUInt32().StoreUnsafe(ref square[k * Width]);
                }

                if (elements == Width && rows == Width)
                {
                    WordSquare.Turn(ref square[0], Width, ref Unsafe.As<float, uint>(ref target), stride);
                    continue;
                }

                WordSquare.Turn(ref square[0], Width, ref square[0], Width);
                for (int query = 0; query < rows; query++)
                {
                    MemoryMarshal.Cast<uint, float>(square.Slice(query * Width, elements)).CopyTo(MemoryMarshal.CreateSpan(ref Unsafe.Add(ref target, query * stride), elements));
                }
            }
        }
    }
}
