using MlaGen;

namespace Explorer.Models;

/// <summary>A published shape with a sparse indexer.</summary>
/// <param name="Name">The model's name.</param>
/// <param name="TopK">Keys that a query selects.</param>
/// <param name="IndexHeads">Heads of its indexer.</param>
/// <param name="IndexHeadDim">Their width.</param>
/// <param name="Open">Makes the workloads of one query token, for a number of cached tokens.</param>
internal sealed record SparseModel(string Name, int TopK, int IndexHeads, int IndexHeadDim, Func<SparseModel, int, MlaExecutor, SparseDecode> Open)
{
    public static IReadOnlyList<SparseModel> All { get; } =
    [
        new("V3.2", DeepSeekV32Core.IndexTopK, DeepSeekV32Core.IndexHeads, DeepSeekV32Core.IndexHeadDim, static (model, context, executor) => new SparseDecode<DeepSeekV32Core>(model, context, executor)),
        new("GLM-5.2", Glm52Core.IndexTopK, Glm52Core.IndexHeads, Glm52Core.IndexHeadDim, static (model, context, executor) => new SparseDecode<Glm52Core>(model, context, executor)),
        new("Hy4", Hy4Core.IndexTopK, Hy4Core.IndexHeads, Hy4Core.IndexHeadDim, static (model, context, executor) => new SparseDecode<Hy4Core>(model, context, executor)),
    ];

    public static SparseModel Named(string name) => All.Single(model => model.Name == name);
}
