using static MlaGen.Generator.Tests.Checkpoints.CheckpointProject;

namespace MlaGen.Generator.Tests.Checkpoints;

/// <summary>A class whose layers share selections, and checkpoints: which layers have an indexer is known at build time.</summary>
public class SparseCheckpointTests
{
    private static readonly string[] _indexer =
        ["indexer.wq_b.weight BF16 [128, 128]", "indexer.wk.weight BF16 [32, 256]", "indexer.k_norm.weight F32 [32]", "indexer.k_norm.bias F32 [32]", "indexer.weights_proj.weight BF16 [4, 256]"];

    private static readonly string _source = OneClass.Replace("Heads = 8", "Heads = 8, IndexTopK = 16, IndexHeads = 4, IndexHeadDim = 32, IndexPattern = \"FSFS\"", StringComparison.Ordinal);

    [Fact]
    public async Task A_checkpoint_with_indexers_where_the_pattern_has_them_is_not_spoken_of()
        => Assert.Empty(await Check(_indexer.Select(static tensor => tensor + " 0,2")));

    [Fact]
    public async Task A_layer_beyond_the_pattern_may_have_an_indexer_or_none()
    {
        string[] drafts = [.. Tensors.Select(static tensor => tensor + " 0-5")];

        Assert.Empty(await Check(_indexer.Select(static tensor => tensor + " 0,2,4"), drafts));
    }

    [Fact]
    public async Task A_missing_tensor_is_named_with_its_layers()
        => Assert.Equal(
            ["MLA0201 Checkpoint 'model' has no 'model.layers.*.self_attn.indexer.k_norm.bias' (layers 0, 2); expected [32] = [IndexHeadDim]"],
            await Check(_indexer.Where(static tensor => !tensor.Contains("bias", StringComparison.Ordinal)).Select(static tensor => tensor + " 0,2")));

    [Fact]
    public async Task An_indexer_in_a_layer_that_shares_is_surplus()
    {
        string[] problems = await Check(_indexer.Select(static tensor => tensor + " 0-2"));

        Assert.Equal(5, problems.Length);
        Assert.Contains("MLA0203 'model.layers.*.self_attn.indexer.wk.weight' (layer 1) of checkpoint 'model' is surplus: it belongs to a sparse indexer, and by IndexPattern the layer has none: it attends to what an earlier one has selected", problems);
    }

    [Fact]
    public async Task A_wrong_shape_is_told_with_its_formula()
        => Assert.Contains(
            "MLA0200 'model.layers.*.self_attn.indexer.wq_b.weight' (layers 0, 2) of checkpoint 'model' is [64, 128]; expected [128, 128] = [IndexHeads·IndexHeadDim, QLoraRank]",
            await Check(_indexer.Select(static tensor => tensor.Replace("[128, 128]", "[64, 128]", StringComparison.Ordinal) + " 0,2")));

    private static async Task<string[]> Check(IEnumerable<string> indexer, IEnumerable<string>? others = null)
        => [.. (await new CheckpointProject(_source, ("Model", Manifest([.. others ?? Tensors, .. indexer]))).Analyze()).Select(static diagnostic => $"{diagnostic.Id} {diagnostic.GetMessage(null)}")];
}
