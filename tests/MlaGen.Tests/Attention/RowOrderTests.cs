namespace MlaGen.Tests.Attention;

/// <summary>The order in which a row holds the rotary key, as ReadRow documents it: in halves, whatever pairs the layout makes, and whatever the model.</summary>
public class RowOrderTests
{
    // At position 0 nothing turns, so the key that is cached is the projected one in another order; and the projection is the identity.
    private static readonly float[] _hidden = [.. Enumerable.Range(0, InterleavedRows.HiddenSize).Select(static i => (float)(i + 1))];

    [Fact]
    public void Interleaved_pairs_are_cached_first_elements_then_second_ones() =>
        Assert.Equal([17, 19, 21, 23, 18, 20, 22, 24], RotaryKey<InterleavedRows>(new InterleavedRows(InterleavedRows.Weights.Load(Identity(), ""), 0)));

    [Fact]
    public void Halves_are_cached_as_they_are_projected() =>
        Assert.Equal([17, 18, 19, 20, 21, 22, 23, 24], RotaryKey<HalfSplitRows>(new HalfSplitRows(HalfSplitRows.Weights.Load(Identity(), ""), 0)));

    [Fact]
    public void A_key_that_is_not_rotated_is_cached_as_it_is_projected() =>
        Assert.Equal([17, 18, 19, 20, 21, 22, 23, 24], RotaryKey<UnrotatedRows>(new UnrotatedRows(UnrotatedRows.Weights.Load(Identity(), ""), 0)));

    private static float[] RotaryKey<T>(T layer)
        where T : class, IMlaAttention<T>
    {
        using LatentCache<T> cache = new(layers: 1, maxTokens: 16);
        using LatentSequence sequence = cache.CreateSequence();
        using MlaBatch<T> batch = cache.CreateBatch();
        batch.Add(sequence, 1);
        layer.Forward(batch, _hidden, new float[_hidden.Length]);
        batch.Commit();
        float[] row = new float[T.Shape.CacheRowElements];
        sequence.ReadRow(0, 0, row);
        return row[T.Shape.KvLoraRank..];
    }

    private static InMemoryCheckpoint Identity()
    {
        const int Width = InterleavedRows.HiddenSize;
        float[] identity = new float[Width * Width];
        for (int i = 0; i < Width; i++)
        {
            identity[(i * Width) + i] = 1;
        }

        InMemoryCheckpoint checkpoint = new("identity");
        checkpoint.Add("q_proj.weight", [16, Width], new float[16 * Width]);
        checkpoint.Add("kv_a_proj_with_mqa.weight", [Width, Width], identity);
        checkpoint.Add("kv_a_layernorm.weight", [16], new float[16]);
        checkpoint.Add("kv_b_proj.weight", [16, 16], new float[16 * 16]);
        checkpoint.Add("o_proj.weight", [Width, 8], new float[Width * 8]);
        return checkpoint;
    }
}

/// <summary>As DeepSeek-V2-Lite has it: queries without a latent, neighbours as pairs.</summary>
[MlaAttention(HiddenSize = 24, Heads = 1, KvLoraRank = 16, QkNopeHeadDim = 8, QkRopeHeadDim = 8, VHeadDim = 8, MaxPositionEmbeddings = 16)]
internal sealed partial class InterleavedRows;

[MlaAttention(HiddenSize = 24, Heads = 1, KvLoraRank = 16, QkNopeHeadDim = 8, QkRopeHeadDim = 8, VHeadDim = 8, MaxPositionEmbeddings = 16, RopeLayout = RopeLayout.HalfSplit)]
internal sealed partial class HalfSplitRows;

[MlaAttention(HiddenSize = 24, Heads = 1, KvLoraRank = 16, QkNopeHeadDim = 8, QkRopeHeadDim = 8, VHeadDim = 8, MaxPositionEmbeddings = 16, RopeLayout = RopeLayout.None)]
internal sealed partial class UnrotatedRows;
