namespace MlaGen;

/// <summary>A sequence in a file of <see cref="LatentCache{TAttention}.Save"/>, and what its owner wants back beside it.</summary>
/// <param name="Sequence">The sequence.</param>
/// <param name="Tokens">Numbers that mean nothing to the cache: token ids of the text, to go on from. As many as are wanted.</param>
public readonly record struct SavedSequence(LatentSequence Sequence, ReadOnlyMemory<int> Tokens = default);
