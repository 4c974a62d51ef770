namespace MlaGen.Runtime;

/// <summary>
/// Scores of a sparse indexer, <c>Σ_h w_h · relu(q_h · k)</c>: the products of all index heads of a query with a block of keys are one product of
/// matrices, with heads in the lanes, of which nothing but the weighted sum leaves the registers.
/// </summary>
internal abstract class IndexKernels
{
    /// <summary>Keys of a tile, in every tier.</summary>
    public const int TileKeys = 12;

    /// <summary>The kernels of this process's tier.</summary>
    public static IndexKernels Current { get; } = SimdTiers.Current switch
    {
        SimdTier.Vector512 => new IndexKernels<Lanes512>(),
        SimdTier.Vector256 => new IndexKernels<Lanes256>(),
        SimdTier.Vector128 => new IndexKernels<Lanes128>(),
        _ => new IndexKernels<Lanes1>(),
    };

    /// <summary>Heads, padded to whole vectors: as many weights a query has.</summary>
    public abstract int PaddedHeads(int heads);

    /// <summary>Floats of scratch that <see cref="Score"/> needs.</summary>
    /// <param name="depth">Elements of a key.</param>
    public abstract int ScratchLength(int depth);

    /// <summary>Packs a query: panels <c>[depth][heads]</c> of two vectors, the last one perhaps of one.</summary>
    /// <param name="queries">Queries <c>[heads][depth]</c>.</param>
    /// <param name="heads">Index heads.</param>
    /// <param name="depth">Elements of each.</param>
    /// <param name="packed">Takes <c>PaddedHeads · depth</c> floats.</param>
    public abstract void Pack(ref float queries, int heads, int depth, ref float packed);

    /// <summary>Scores keys for a query. A key's score depends on nothing but it and the query.</summary>
    /// <param name="keys">Keys <c>[count][depth]</c>.</param>
    /// <param name="count">How many.</param>
    /// <param name="depth">Elements of each.</param>
    /// <param name="queries">A packed query.</param>
    /// <param name="heads">Index heads.</param>
    /// <param name="weights">A weight for each head, zeros up to <see cref="PaddedHeads"/>.</param>
    /// <param name="scores">Takes a score for each key.</param>
    /// <param name="scratch">Takes what it likes.</param>
    /// <param name="upcoming">Where the memory begins that will be needed next; it is only asked for.</param>
    /// <param name="upcomingBytes">Bytes of it; 0 to ask for nothing.</param>
    public abstract void Score(ref float keys, int count, int depth, ref float queries, int heads, ref float weights, ref float scores, ref float scratch, ref byte upcoming, nint upcomingBytes);

    /// <summary>Pools keys: of each element, the sum of a pool's keys weighed by a softmax over the pool's tokens.</summary>
    /// <param name="rows">A key, then the logits of its weights, for each token of the pools <c>[pools · poolTokens][2 · depth]</c>.</param>
    /// <param name="pools">How many pools.</param>
    /// <param name="poolTokens">Tokens of each.</param>
    /// <param name="depth">Elements of a key.</param>
    /// <param name="embedding">What the place in a pool adds to the logits <c>[poolTokens][depth]</c>.</param>
    /// <param name="keys">Takes the keys of the pools <c>[pools][depth]</c>.</param>
    public abstract void Pool(ref float rows, int pools, int poolTokens, int depth, ref readonly float embedding, ref float keys);
}
