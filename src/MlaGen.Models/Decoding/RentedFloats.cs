using System.Buffers;

namespace MlaGen.Models;

/// <summary>Scratch floats from the shared pool, so that a decoded token allocates nothing. The content is undefined until written.</summary>
internal readonly ref struct RentedFloats : IDisposable
{
    private readonly float[] _array;

    public RentedFloats(int length)
    {
        _array = ArrayPool<float>.Shared.Rent(length);
        Span = _array.AsSpan(0, length);
    }

    public Span<float> Span { get; }

    public void Dispose() => ArrayPool<float>.Shared.Return(_array);
}
