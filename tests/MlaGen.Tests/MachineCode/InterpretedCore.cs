using System.Runtime.InteropServices;
using MlaGen.Runtime;
using MlaGen.Tests.MachineCode.Interpreter;

namespace MlaGen.Tests.MachineCode;

/// <summary>Attends as <see cref="MatrixCore"/> does, but for its routines, which are interpreted, in memory of exactly the sizes that they may touch.</summary>
internal sealed class InterpretedCore(MatrixCore core, int depth, int latent, int heads)
{
    private readonly byte[] _sums = new byte[heads * latent * sizeof(float)];
    private readonly int _columns = core.Layout.Queries.Columns;

    /// <summary>Weighted latents <c>[heads, latent]</c>, then maxima, sums and factors of all columns.</summary>
    public float[] Sums => [.. MemoryMarshal.Cast<byte, float>(_sums), .. Statistics];

    private float[] Statistics { get; } = [.. Enumerable.Repeat(float.NegativeInfinity, core.Layout.Queries.Columns), .. new float[2 * core.Layout.Queries.Columns]];

    /// <summary>Attends to a block.</summary>
    /// <param name="rows">Rows of bfloat16.</param>
    /// <param name="packed">Packed queries.</param>
    public void Attend(byte[] rows, float[] packed)
    {
        int tile = core.Matrix.TokenTile;
        int rowBytes = core.Matrix.RowBytes;
        int tokens = rows.Length / rowBytes;
        int whole = tokens / tile * tile;
        if (whole > 0)
        {
            Attend(rows[..(whole * rowBytes)], whole, packed);
        }

        if (whole < tokens)
        {
            byte[] tail = new byte[tile * rowBytes];
            rows[(whole * rowBytes)..].CopyTo(tail, 0);
            Attend(tail, tokens - whole, packed);
        }
    }

    private void Attend(byte[] rows, int tokens, float[] packed)
    {
        int padded = rows.Length / core.Matrix.RowBytes;
        int stride = core.Layout.ScoreStride;
        int panels = _columns / QueryPairs.Width;
        byte[] queries = MemoryMarshal.AsBytes(packed.AsSpan()).ToArray();
        byte[] scores = new byte[padded * stride * sizeof(float)];
        byte[] scratch = new byte[(core.Layout.Scratch * sizeof(float)) - (panels * core.Matrix.PanelWeights * sizeof(int)) - (core.Matrix.TokenTile * core.Matrix.RowBytes)];
        Call(core.ScoresCode, processor => [
            processor.Add("rows", rows, isReadOnly: true),
            (ulong)padded,
            processor.Add("queries", queries, isReadOnly: true),
            processor.Add("scores", scores, isReadOnly: false),
            0,
            0,
            processor.Add("scratch", scratch, isReadOnly: false)]);
        ref float score = ref MemoryMarshal.GetReference(MemoryMarshal.Cast<byte, float>(scores));
        byte[] weights = scores;
        if (core.Matrix.PanelWeights == 0)
        {
            PairSoftmax.Apply(tokens, padded, _columns, stride, ref score, ref Statistics[0]);
        }
        else
        {
            weights = new byte[panels * core.Matrix.PanelWeights * sizeof(int)];
            ref uint weight = ref MemoryMarshal.GetReference(MemoryMarshal.Cast<byte, uint>(weights));
            TileSoftmax.Apply(tokens, padded, _columns, stride, core.Matrix.Terms, ref score, ref Statistics[0], ref weight, core.Matrix.PanelWeights);
        }

        byte[] rescale = MemoryMarshal.AsBytes(Statistics.AsSpan(2 * _columns, heads)).ToArray();
        Call(core.ValuesCode, processor => [
            processor.Add("rows", rows, isReadOnly: true),
            (ulong)padded,
            0,
            processor.Add("weights", weights, isReadOnly: true),
            processor.Add("sums", _sums, isReadOnly: false),
            processor.Add("rescale", rescale, isReadOnly: true),
            processor.Add("scratch", scratch, isReadOnly: false)]);
    }

    private static void Call(byte[] code, Func<Processor, ulong[]> arguments)
    {
        const int Words = 16;
        var processor = new Processor(code);
        ulong[] words = new ulong[Words];
        arguments(processor).CopyTo(words, 0);
        processor.Call(entry: 0, processor.Add("arguments", MemoryMarshal.AsBytes(words.AsSpan()).ToArray(), isReadOnly: false), windows: false);
    }

    /// <summary>Packs unscaled queries <c>[heads, depth]</c>.</summary>
    public float[] Pack(float[] queries, float scale)
    {
        float[] packed = new float[core.Layout.Queries.Length(depth)];
        for (int panel = 0; panel < core.Layout.Queries.PanelCount; panel++)
        {
            core.Layout.Queries.Pack(panel, ref queries[0], heads, depth, scale, ref packed[0]);
        }

        return packed;
    }
}
