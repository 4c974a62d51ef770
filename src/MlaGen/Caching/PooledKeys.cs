using System.Runtime.CompilerServices;
using MlaGen.Runtime;

namespace MlaGen;

/// <summary>
/// Index keys of a sequence's whole pools in one layer, made of the rows that the cache keeps: each once, since it stays what it is as long as its tokens
/// are there. Not a part of the rows, because which tokens make a pool depends on where a sequence goes: forks and loaded sequences make their own.
/// </summary>
/// <param name="width">Elements of a key.</param>
/// <param name="poolTokens">Tokens of a pool.</param>
internal sealed class PooledKeys(int width, int poolTokens)
{
    /// <summary>Keys that lie in one piece: whole blocks of the stage that scores them.</summary>
    private const int ChunkKeys = 4 * IndexStage.BlockKeys;

    private float[][] _chunks = [];
    private object? _source;

    /// <summary>Keys of committed tokens that have been made.</summary>
    public int Known { get; private set; }

    /// <summary>Makes room for so many keys, and forgets those that were made by other weights.</summary>
    /// <param name="source">What they are made by.</param>
    /// <param name="keys">How many.</param>
    public void Begin(object source, int keys)
    {
        if (_source != source)
        {
            _source = source;
            Known = 0;
        }

        int chunks = (keys + ChunkKeys - 1) / ChunkKeys;
        int made = _chunks.Length;
        if (made < chunks)
        {
            Array.Resize(ref _chunks, chunks);
            for (int i = made; i < chunks; i++)
            {
                _chunks[i] = GC.AllocateUninitializedArray<float>(ChunkKeys * width);
            }
        }
    }

    /// <summary>Says that the keys of so many committed tokens have been made.</summary>
    public void Complete(int tokens) => Known = tokens / poolTokens;

    /// <summary>Forgets the keys of pools beyond so many tokens.</summary>
    public void Truncate(int tokens) => Known = Math.Min(Known, tokens / poolTokens);

    /// <summary>The key of a pool; those up to the end of its chunk follow.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public ref float At(int pool)
    {
        (int chunk, int index) = Math.DivRem(pool, ChunkKeys);
        return ref _chunks[chunk][index * width];
    }
}
