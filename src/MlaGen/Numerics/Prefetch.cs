using System.ComponentModel;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace MlaGen.Runtime;

/// <summary>Asks the processor for memory before it is needed. A hint: it changes no result and cannot fault.</summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public static class Prefetch
{
    /// <summary>Asks for the cache line of a float some way behind a reference; on processors for which .NET offers no such instruction, nothing.</summary>
    /// <param name="reference">Where to count from.</param>
    /// <param name="distance">Floats from there; the address may lie outside of any allocation, since nothing is read.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe void Ahead(ref float reference, nint distance)
    {
        // A pointer, because a reference must not leave its object.
        if (Sse.IsSupported)
        {
            Sse.Prefetch1((float*)Unsafe.AsPointer(ref reference) + distance);
        }
    }
}
