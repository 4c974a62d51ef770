using System.ComponentModel;

namespace MlaGen.Runtime;

/// <summary>The cores of one set of dimensions, the best first: which of them runs is decided by machine and cache. Emitted once a set of dimensions.</summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public sealed class MlaKernels
{
    /// <summary>Cores of the absorbed form, the best first; the last one runs anywhere.</summary>
    public required AbsorbedCore[] Absorbed { get; init; }

    /// <summary>Cores of the decompressed form, the best first; the last one runs anywhere.</summary>
    public required DecompressedCore[] Decompressed { get; init; }

    /// <summary>
    /// Tokens of a page unless something else is asked for: the best core's block, whichever core runs, so that a saved cache fits other machines.
    /// </summary>
    internal int PageTokens => Absorbed[0].Layout.BlockTokens;
}
