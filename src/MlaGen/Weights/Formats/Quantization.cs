using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace MlaGen.Runtime;

/// <summary>From floats to small integers with a scale: <c>value ≈ code · scale</c>.</summary>
internal static class Quantization
{
    /// <summary>The largest number of depths of a group.</summary>
    private const int MostDepth = 64;

    /// <summary>The groups of a panel's rows, one after the other; all outputs of the panel at once, one in each lane.</summary>
    public ref struct Groups
    {
        private readonly ReadOnlySpan<float> _rows;
        private readonly int _columns;
        private readonly int _groupDepth;

        // [depth], a value of each output.
        private Values _values;
        private Vector512<float> _inverse;
        private int _steps;
        private int _most;
        private int _first;

        /// <param name="rows"><see cref="PackedMatrix.PanelWidth"/> rows of floats.</param>
        /// <param name="columns">Elements of a row.</param>
        /// <param name="depth">Neighbours that share a scale.</param>
        public Groups(ReadOnlySpan<byte> rows, int columns, int depth)
        {
            _rows = MemoryMarshal.Cast<byte, float>(rows);
            _columns = columns;
            _groupDepth = depth;
        }

        /// <summary>Depths of this group.</summary>
        public int Depth { get; private set; }

        /// <summary>Goes on to the next group and finds its scales.</summary>
        /// <param name="steps">The code of the largest magnitude.</param>
        /// <param name="signed">Whether the largest value gets the code <c>-steps</c>, whatever its sign, and the scale the sign: one more code is then used than with codes that are symmetric.</param>
        /// <param name="scales">Takes a scale an output, in half precision: the codes are those of the scales that are stored.</param>
        /// <returns>Whether there is one.</returns>
        /// <exception cref="OverflowException">A value is not finite, or too large for a scale.</exception>
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public bool Next(int steps, bool signed, Span<byte> scales)
        {
            _first += Depth;
            Depth = Math.Min(_groupDepth, _columns - _first);
            if (Depth == 0)
            {
                return false;
            }

            _steps = steps;
            _most = signed ? steps - 1 : steps;
            ReadOnlySpan<Vector512<float>> values = _values;
            PanelElements.Transpose(_rows[_first..], _columns, Depth, MemoryMarshal.Cast<Vector512<float>, float>((Span<Vector512<float>>)_values));
            Vector512<float> largest = Vector512<float>.Zero;
            foreach (Vector512<float> value in values[..Depth])
            {
                // A NaN stays once it is there.
                Vector512<float> isSmaller = Vector512.LessThanOrEqual(Vector512.Abs(value), Vector512.Abs(largest));
                largest = Vector512.ConditionalSelect(isSmaller, largest, value);
            }

            Vector512<float> scale = signed ? largest / -steps : Vector512.Abs(largest) / steps;
            Span<float> inverse = stackalloc float[PackedMatrix.PanelWidth];
            for (int lane = 0; lane < PackedMatrix.PanelWidth; lane++)
            {
                var half = (Half)scale[lane];
                if (!Half.IsFinite(half))
                {
                    throw new OverflowException(FormattableString.Invariant($"{largest[lane]} has no scale of half precision"));
                }

                MemoryMarshal.Write(scales[(lane * sizeof(ushort))..], half);
                inverse[lane] = half == (Half)0 ? 0 : 1 / (float)half;
            }

            _inverse = Vector512.Create<float>(inverse);
            return true;
        }

        /// <summary>The codes of a depth, one an output.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public readonly Vector512<int> Codes(int k)
        {
            Vector512<float> rounded = Vector512.Round(_values[k] * _inverse);
            return Vector512.ConvertToInt32(Vector512.Clamp(rounded, Vector512.Create((float)-_steps), Vector512.Create((float)_most)));
        }

        [InlineArray(MostDepth)]
        private struct Values
        {
            private Vector512<float> _value;
        }
    }
}
