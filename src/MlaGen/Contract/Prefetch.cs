using System.ComponentModel;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace MlaGen.Runtime;

/// <summary>Asks the processor for memory before it is needed. A hint: it changes no result and cannot fault.</summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public static class Prefetch
{
    /// <summary>Asks for the cache line of an element some way behind a reference; on processors for which .NET offers no such instruction, nothing.</summary>
    /// <param name="reference">Where to count from.</param>
    /// <param name="distance">Elements from there; the address may lie outside of any allocation, since nothing is read.</param>
    /// <typeparam name="T">Type of an element.</typeparam>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe void Ahead<T>(ref T reference, nint distance)
        where T : unmanaged
    {
        // A pointer, because a reference must not leave its object.
        if (Sse.IsSupported)
        {
            Sse.Prefetch1((T*)Unsafe.AsPointer(ref reference) + distance);
        }
    }

    /// <summary>Asks for all cache lines of some floats, the first of which lies some way behind a reference.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Range(ref float reference, nint distance, int count)
    {
        const int LineFloats = 16;
        for (int i = 0; i < count; i += LineFloats)
        {
            Ahead(ref reference, distance + i);
        }
    }
}
