using MlaGen;

namespace Explorer.Models;

/// <summary>A published shape with a sparse indexer.</summary>
/// <param name="Name">The model's name.</param>
/// <param name="Shape">Its dimensions, on a hidden state of 16.</param>
/// <param name="TopK">Keys that a query selects.</param>
/// <param name="IndexHeads">Heads of its indexer.</param>
/// <param name="IndexHeadDim">Their width.</param>
/// <param name="IndexRotatesLast">Whether the last elements of index keys are rotated; else the first.</param>
/// <param name="Open">Makes the workloads of one query token, for a number of cached tokens.</param>
/// <param name="OpenPrompt">Makes those of prompts, of a number of tokens at most.</param>
/// <param name="OpenDensePrompt">The same without an indexer.</param>
internal sealed record SparseModel(
    string Name,
    MlaShape Shape,
    int TopK,
    int IndexHeads,
    int IndexHeadDim,
    bool IndexRotatesLast,
    Func<SparseModel, int, MlaExecutor, SparseDecode> Open,
    Func<SparseModel, MlaExecutor, int, PromptWorkload> OpenPrompt,
    Func<SparseModel, MlaExecutor, int, PromptWorkload> OpenDensePrompt)
{
    public static IReadOnlyList<SparseModel> All { get; } =
    [
        Of<DeepSeekV32Core, DeepSeekV32DenseCore>("V3.2", DeepSeekV32Core.IndexTopK, DeepSeekV32Core.IndexHeads, DeepSeekV32Core.IndexHeadDim),
        Of<Glm52Core, Glm52DenseCore>("GLM-5.2", Glm52Core.IndexTopK, Glm52Core.IndexHeads, Glm52Core.IndexHeadDim),
        Of<Hy4Core, Hy4DenseCore>("Hy4", Hy4Core.IndexTopK, Hy4Core.IndexHeads, Hy4Core.IndexHeadDim, indexRotatesLast: true),
    ];

    public static SparseModel Named(string name) => All.Single(model => model.Name == name);

    private static SparseModel Of<T, TDense>(string name, int topK, int indexHeads, int indexHeadDim, bool indexRotatesLast = false)
        where T : class, IMlaAttention<T>
        where TDense : class, IMlaAttention<TDense> => new(
            name,
            T.Shape,
            topK,
            indexHeads,
            indexHeadDim,
            indexRotatesLast,
            static (model, context, executor) => new SparseDecode<T, TDense>(model, context, executor),
            static (model, executor, tokens) => new PromptWorkload<T>([Load<T>(model, indexesByPlace: true), Load<T>(model, indexesByPlace: false)], executor, tokens),
            static (_, executor, tokens) => new PromptWorkload<TDense>([TDense.Load(new RandomCheckpoint(TDense.Shape), "", layer: 0)], executor, tokens));

    private static T Load<T>(SparseModel model, bool indexesByPlace)
        where T : class, IMlaAttention<T> => T.Load(new RandomCheckpoint(model, indexesByPlace), "", layer: 0);
}
