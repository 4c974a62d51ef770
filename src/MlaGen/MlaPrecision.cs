namespace MlaGen;

/// <summary>
/// How exactly attention and products with weights multiply: PyTorch's three levels of <c>float32_matmul_precision</c>, with its meaning. A level is a permission, no
/// order: where the machine has nothing faster at a level, a more exact core runs. Sums and softmax are float32 at every level, and so is what decides what is computed:
/// the scores of a sparse indexer and of a router of experts.
/// </summary>
public enum MlaPrecision
{
    /// <summary>Products of float32. About 5e-6 relative to the exact result on the stored rows.</summary>
    Highest,

    /// <summary>Operands may be taken as sums of two bfloat16 terms, which keeps 16 bits of each. At most 1e-5 relative to the exact result on the stored rows.</summary>
    High,

    /// <summary>
    /// Operands may be rounded to bfloat16 once, which keeps 8 bits of each. Attention: at most 3e-3 relative to the exact result on the stored rows for scores up to 5 in
    /// magnitude, and in proportion beyond. A product with weights: at most 3e-3 relative to the exact one.
    /// </summary>
    Medium,
}
