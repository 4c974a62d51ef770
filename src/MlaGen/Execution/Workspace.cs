using System.Runtime.CompilerServices;

namespace MlaGen.Runtime;

/// <summary>Memory that grows to the largest size asked for and is kept: after the first steps of a kind nothing is allocated.</summary>
internal sealed class Workspace
{
    // Stages count in int where they work on a part of it.
    private static readonly int MostFloats = Array.MaxLength;

    private AlignedBuffer<float>? _buffer;

    /// <summary>First float of the memory.</summary>
    public ref float Start => ref _buffer!.Start;

    /// <summary>Makes room for as many floats; what was there may be lost.</summary>
    public ref float Reserve(long length)
    {
        if (_buffer is null || _buffer.Length < length)
        {
            if (length > MostFloats)
            {
                throw new InsufficientMemoryException(FormattableString.Invariant(
                    $"The step works in {Counted.Of(length, "float")} that lie in one piece; {MostFloats} can be had. It needs fewer rows."));
            }

            // Half as much again, so that a context growing token by token does not ask every time.
            _buffer = new AlignedBuffer<float>(Math.Max(length, Math.Min(_buffer is null ? 0 : _buffer.Length * 3 / 2, MostFloats)));
        }

        return ref _buffer.Start;
    }

    /// <summary>Zeroes all of it.</summary>
    public void Clear() => _buffer?.Clear();

    /// <summary>A float of the memory.</summary>
    public ref float At(long index) => ref Unsafe.Add(ref _buffer!.Start, (nint)index);

    /// <summary>A part of the memory.</summary>
    public Span<float> Span(long start, int length) => _buffer!.Span(start, length);
}
