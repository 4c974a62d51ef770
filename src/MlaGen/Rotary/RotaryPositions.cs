using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace MlaGen.Runtime;

/// <summary>Cosines and sines of the rows of a step, and their use.</summary>
internal sealed class RotaryPositions(MlaDefinition definition)
{
    private readonly int _pairs = definition.InverseFrequencies.Length;
    private float[] _cosines = [];
    private float[] _sines = [];
    private float[] _queryFactors = [];

    /// <summary>Computes the angles of each row's position in float32, as transformers does, and their cosine and sine correctly rounded.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Prepare(ReadOnlySpan<int> positions)
    {
        if (_queryFactors.Length < positions.Length)
        {
            int most = MostRows(_pairs);
            if (positions.Length > most)
            {
                throw new InsufficientMemoryException(FormattableString.Invariant(
                    $"The step has {positions.Length} rows of {_pairs} rotary angles; the angles of {most} rows can be had in one piece. It needs fewer rows."));
            }

            int rows = (int)Math.Min(Math.Max(positions.Length, 2L * _queryFactors.Length), most);
            _cosines = new float[rows * _pairs];
            _sines = new float[rows * _pairs];
            _queryFactors = new float[rows];
        }

        for (int row = 0; row < positions.Length; row++)
        {
            int position = positions[row];
            for (int i = 0; i < _pairs; i++)
            {
                float angle = position * definition.InverseFrequencies[i];
                (double sine, double cosine) = Math.SinCos(angle);
                _cosines[(row * _pairs) + i] = (float)cosine * definition.RopeAttentionFactor;
                _sines[(row * _pairs) + i] = (float)sine * definition.RopeAttentionFactor;
            }

            _queryFactors[row] = definition.Llama4ScalingBeta == 0
                ? 1
                : (float)(1 + (definition.Llama4ScalingBeta * Math.Log(1 + (position / definition.OriginalMaxPositionEmbeddings))));
        }
    }

    /// <summary>Rows whose angles can be had in one piece.</summary>
    internal static int MostRows(int pairs) => Array.MaxLength / Math.Max(1, pairs);

    /// <summary>Rotates a query's rotary part, and scales all of it as its position asks for: Mistral's growth with the position.</summary>
    /// <param name="row">Row of the step.</param>
    /// <param name="query">The query of a head.</param>
    /// <param name="rotated">Takes the rotated query; other memory.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void RotateQuery(int row, ReadOnlySpan<float> query, Span<float> rotated)
    {
        int nope = definition.Shape.QkNopeHeadDim;
        query[..nope].CopyTo(rotated);
        Rotate(row, definition.RopeLayout, query[nope..], rotated[nope..]);
        float factor = _queryFactors[row];
        if (factor != 1)
        {
            RowMath.Current.Scale(rotated, factor, rotated);
        }
    }

    /// <summary>Rotates one rotary part. Interleaved pairs come out de-interleaved, first elements then second, as transformers' V3 family caches them.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Rotate(int row, RopeLayout layout, ReadOnlySpan<float> source, Span<float> destination)
    {
        if (layout == RopeLayout.None)
        {
            source.CopyTo(destination);
            return;
        }

        ReadOnlySpan<float> cosines = _cosines.AsSpan(row * _pairs, _pairs);
        ReadOnlySpan<float> sines = _sines.AsSpan(row * _pairs, _pairs);
        bool interleaved = layout == RopeLayout.Interleaved;
        int done = interleaved ? RotatePairs(source, cosines, sines, destination) : 0;
        for (int i = done; i < _pairs; i++)
        {
            float first = source[interleaved ? 2 * i : i];
            float second = source[interleaved ? (2 * i) + 1 : i + _pairs];
            destination[i] = (first * cosines[i]) - (second * sines[i]);
            destination[i + _pairs] = (second * cosines[i]) + (first * sines[i]);
        }
    }

    /// <summary>Rotates interleaved pairs, sixteen or four at a time, by the operations that one pair takes; returns how many pairs that were.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static int RotatePairs(ReadOnlySpan<float> source, ReadOnlySpan<float> cosines, ReadOnlySpan<float> sines, Span<float> destination)
    {
        int pairs = cosines.Length;
        int i = 0;
        for (; Avx512F.IsSupported && i + Vector512<float>.Count <= pairs; i += Vector512<float>.Count)
        {
            Vector512<int> firsts = Vector512<int>.Indices << 1;
            var lower = Vector512.Create(source[(2 * i)..]);
            var upper = Vector512.Create(source[((2 * i) + Vector512<float>.Count)..]);
            Vector512<float> first = Avx512F.PermuteVar16x32x2(lower, firsts, upper);
            Vector512<float> second = Avx512F.PermuteVar16x32x2(lower, firsts | Vector512<int>.One, upper);
            var cosine = Vector512.Create(cosines[i..]);
            var sine = Vector512.Create(sines[i..]);
            ((first * cosine) - (second * sine)).CopyTo(destination[i..]);
            ((second * cosine) + (first * sine)).CopyTo(destination[(i + pairs)..]);
        }

        for (; Vector256.IsHardwareAccelerated && i + 4 <= pairs; i += 4)
        {
            Vector256<float> apart = Vector256.Shuffle(Vector256.Create(source[(2 * i)..]), Vector256.Create(0, 2, 4, 6, 1, 3, 5, 7));
            Vector128<float> first = apart.GetLower();
            Vector128<float> second = apart.GetUpper();
            Vector128<float> cosine = Vector128.Create(cosines[i..]);
            Vector128<float> sine = Vector128.Create(sines[i..]);
            ((first * cosine) - (second * sine)).CopyTo(destination[i..]);
            ((second * cosine) + (first * sine)).CopyTo(destination[(i + pairs)..]);
        }

        return i;
    }
}
