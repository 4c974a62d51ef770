using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace MlaGen.Runtime;

/// <summary>Keys <c>[tokens][nope, rotary]</c> and values <c>[tokens][value]</c> of floats; queries in panels <c>[depth][queries]</c>, sums <c>[queries][value]</c>.</summary>
internal sealed class FloatKeyTiles(StepContext step, DecompressedCore core) : KeyTiles(step, core)
{
    private static ProjectionKernels Kernels => ProjectionKernels.Current;

    public override void Reserve(WorkerSpace space, int heads)
    {
        space.Packed.Reserve((long)Kernels.PackedWidth(Layout.KeyTile) * Shape.KvLoraRank);
        space.Product.Reserve(ProjectionKernels.ScratchLength);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void PackQueries(ref float queries, nint stride, int count, float scale, ref float packed, WorkerSpace space)
        => PanelPacking.Pack(ref queries, stride, count, Shape.QkHeadDim, scale, ref packed, Layout.QueryPanel);

    public override void TakeHeads(PackedMatrix matrix, int firstHead, int heads, WorkerSpace space)
    {
    }

    /// <summary>Cached rows as the products take them; too few are not worth packing.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override ref byte TakeRows(ref byte rows, int tokens, WorkerSpace space)
    {
        if (tokens >= ProjectionKernels.TiledRows)
        {
            Kernels.Pack(ref Unsafe.As<byte, float>(ref rows), Shape.CacheRowElements, tokens, Shape.KvLoraRank, ref space.Packed.Start);
        }

        return ref rows;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Decompress(PackedMatrix matrix, ref byte rows, int tokens, int firstHead, int head, WorkerSpace space)
    {
        ref float latents = ref Unsafe.As<byte, float>(ref rows);
        int elements = Shape.CacheRowElements;
        int keyStride = Layout.KeyStride;
        ref float keys = ref space.Keys.Start;
        ref float values = ref space.Values.Start;
        int keyPanel = (firstHead + head) * (PackedMatrix.PanelsFor(Shape.QkNopeHeadDim) + PackedMatrix.PanelsFor(Shape.VHeadDim));
        int valuePanel = keyPanel + PackedMatrix.PanelsFor(Shape.QkNopeHeadDim);
        if (tokens < ProjectionKernels.TiledRows)
        {
            for (int token = 0; token < tokens; token++)
            {
                ref float row = ref Unsafe.Add(ref latents, token * elements);
                matrix.Products.MultiplyRow(matrix, keyPanel, ref row, space.Keys.Span(token * keyStride, Shape.QkNopeHeadDim));
                matrix.Products.MultiplyRow(matrix, valuePanel, ref row, space.Values.Span(token * Layout.ValueStride, Shape.VHeadDim));
            }
        }
        else
        {
            ref float product = ref space.Product.Start;
            matrix.Products.MultiplyPacked(matrix, keyPanel, Shape.QkNopeHeadDim, ref space.Packed.Start, tokens, ref keys, keyStride, ref product, wholeTiles: true);
            matrix.Products.MultiplyPacked(matrix, valuePanel, Shape.VHeadDim, ref space.Packed.Start, tokens, ref values, Layout.ValueStride, ref product, wholeTiles: true);
        }

        int rotary = Shape.QkRopeHeadDim;
        for (int token = 0; token < tokens; token++)
        {
            MemoryMarshal.CreateReadOnlySpan(ref Unsafe.Add(ref latents, (token * elements) + Shape.KvLoraRank), rotary)
                .CopyTo(space.Keys.Span((token * keyStride) + Shape.QkNopeHeadDim, rotary));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override bool AreValuesFinite(int first, int tokens, WorkerSpace space)
    {
        for (int token = first; token < tokens; token++)
        {
            if (!RowMath.Current.AreFinite(space.Values.Span(token * Layout.ValueStride, Shape.VHeadDim)))
            {
                return false;
            }
        }

        return true;
    }

    // The core reads as many as it is told, one after the other.
    public override ref byte ValuesBefore(int tokens, WorkerSpace space) => ref Unsafe.As<float, byte>(ref space.Values.Start);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void CopySums(int query, ref float panel, ref float other)
    {
        int width = Shape.VHeadDim;
        MemoryMarshal.CreateReadOnlySpan(ref Unsafe.Add(ref panel, query * width), width).CopyTo(MemoryMarshal.CreateSpan(ref Unsafe.Add(ref other, query * width), width));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Divide(ref float sums, ReadOnlySpan<float> shares, ref float output, nint stride)
    {
        int width = Shape.VHeadDim;
        for (int query = 0; query < shares.Length; query++)
        {
            RowMath.Current.Scale(
                MemoryMarshal.CreateReadOnlySpan(ref Unsafe.Add(ref sums, query * width), width),
                shares[query],
                MemoryMarshal.CreateSpan(ref Unsafe.Add(ref output, query * stride), width));
        }
    }
}
