namespace MlaGen.Tests.Oracles;

/// <summary>A layer's weights, row-major <c>[out, in]</c>; kept as floats, which widen exactly, so that a large layer stays small.</summary>
internal sealed record OracleWeights
{
    public float[]? QProj { get; init; }

    public float[]? QAProj { get; init; }

    public float[]? QAProjBias { get; init; }

    public float[]? QALayernorm { get; init; }

    public float[]? QBProj { get; init; }

    public required float[] KvAProjWithMqa { get; init; }

    public float[]? KvAProjWithMqaBias { get; init; }

    public required float[] KvALayernorm { get; init; }

    public required float[] KvBProj { get; init; }

    public required float[] OProj { get; init; }

    public float[]? OProjBias { get; init; }

    /// <summary>Takes the tensors by their names in a checkpoint, without the layer's prefix.</summary>
    public static OracleWeights From(IReadOnlyDictionary<string, WeightTensor> tensors) => new()
    {
        QProj = tensors.GetValueOrDefault("q_proj.weight")?.Values,
        QAProj = tensors.GetValueOrDefault("q_a_proj.weight")?.Values,
        QAProjBias = tensors.GetValueOrDefault("q_a_proj.bias")?.Values,
        QALayernorm = tensors.GetValueOrDefault("q_a_layernorm.weight")?.Values,
        QBProj = tensors.GetValueOrDefault("q_b_proj.weight")?.Values,
        KvAProjWithMqa = tensors["kv_a_proj_with_mqa.weight"].Values,
        KvAProjWithMqaBias = tensors.GetValueOrDefault("kv_a_proj_with_mqa.bias")?.Values,
        KvALayernorm = tensors["kv_a_layernorm.weight"].Values,
        KvBProj = tensors["kv_b_proj.weight"].Values,
        OProj = tensors["o_proj.weight"].Values,
        OProjBias = tensors.GetValueOrDefault("o_proj.bias")?.Values,
    };
}

/// <summary>A weight as a checkpoint holds it.</summary>
/// <param name="Shape">Dimensions, outermost first.</param>
/// <param name="Values">Row-major.</param>
internal sealed record WeightTensor(int[] Shape, float[] Values);
