using System.Runtime.InteropServices;

namespace MlaGen;

/// <summary>Equality of the token ids of pages, by value. The hash is another in each process, so that no prompt can be made to collide.</summary>
internal class PageTokensComparer : IEqualityComparer<int[]>, IAlternateEqualityComparer<ReadOnlySpan<int>, int[]>
{
    public virtual int GetHashCode(ReadOnlySpan<int> tokens)
    {
        HashCode hash = default;
        hash.AddBytes(MemoryMarshal.AsBytes(tokens));
        return hash.ToHashCode();
    }

    public int GetHashCode(int[] tokens) => GetHashCode(tokens.AsSpan());

    public bool Equals(int[]? x, int[]? y) => x.AsSpan().SequenceEqual(y);

    public bool Equals(ReadOnlySpan<int> tokens, int[] other) => tokens.SequenceEqual(other);

    public int[] Create(ReadOnlySpan<int> tokens) => tokens.ToArray();
}
