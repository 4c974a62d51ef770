using System.Runtime.CompilerServices;

namespace MlaGen.Runtime;

/// <summary>How products take the rows that they multiply: block by block of their depth, so that what is worked on at a time lies together.</summary>
internal abstract class RowPacking
{
    /// <summary>Elements of a row that a block has at most.</summary>
    public abstract int BlockDepth { get; }

    /// <summary>Whether rows are packed also where they are few.</summary>
    public abstract bool PacksFewRows { get; }

    /// <summary>Floats of memory in front of a block of so many rows.</summary>
    /// <param name="rows">Rows that are packed together.</param>
    /// <param name="first">Depth at which the block begins: that of a block, or of one that could follow the last.</param>
    public abstract long BlockStart(int rows, int first);

    /// <summary>Floats of memory for all blocks of so many rows.</summary>
    public long Length(int rows, int depth) => BlockStart(rows, ProjectionKernels.Units(depth, BlockDepth) * BlockDepth);

    /// <summary>Packs all blocks of rows, one after the other.</summary>
    /// <param name="rows">First row.</param>
    /// <param name="stride">Elements from a row to the next.</param>
    /// <param name="count">Rows, at most <see cref="ProjectionKernels.MostChunkRows"/>.</param>
    /// <param name="depth">Elements of a row.</param>
    /// <param name="packed">Takes <see cref="Length"/> floats.</param>
    public void Pack(ref readonly float rows, nint stride, int count, int depth, ref float packed)
    {
        ref float source = ref Unsafe.AsRef(in rows);
        for (int first = 0; first < depth; first += BlockDepth)
        {
            PackBlock(ref Unsafe.Add(ref source, first), stride, count, Math.Min(BlockDepth, depth - first), ref Unsafe.Add(ref packed, (nint)BlockStart(count, first)));
        }
    }

    /// <summary>Packs one block of rows.</summary>
    /// <param name="rows">First element of the first row within the block.</param>
    /// <param name="stride">Elements from a row to the next.</param>
    /// <param name="count">Rows.</param>
    /// <param name="depth">Elements of the block, at most <see cref="BlockDepth"/>.</param>
    /// <param name="packed">Takes the block.</param>
    public abstract void PackBlock(ref readonly float rows, nint stride, int count, int depth, ref float packed);
}
