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

    public float[]? GateProj { get; init; }

    public float[]? Sinks { get; init; }

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
        GateProj = (tensors.GetValueOrDefault("g_proj.weight") ?? tensors.GetValueOrDefault("linear_gate.weight"))?.Values,
        Sinks = tensors.GetValueOrDefault("learnable_sink_param")?.Values,
        OProj = tensors["o_proj.weight"].Values,
        OProjBias = tensors.GetValueOrDefault("o_proj.bias")?.Values,
    };
}

/// <summary>A weight as a checkpoint holds it.</summary>
/// <param name="Shape">Dimensions, outermost first.</param>
/// <param name="Values">Row-major.</param>
internal sealed record WeightTensor(int[] Shape, float[] Values)
{
    /// <summary>What a checkpoint of another type would hold, as floats.</summary>
    public WeightTensor Rounded(TensorType type) => this with
    {
        Values = type switch
        {
            TensorType.Float32 => Values,
            TensorType.Float16 => [.. Values.Select(value => (float)(Half)value)],
            TensorType.BFloat16 => [.. Values.Select(RoundToBFloat16)],
            _ => throw new ArgumentOutOfRangeException(nameof(type), type, "Only floats of 16 and 32 bits are rounded here."),
        },
    };

    /// <summary>To the nearest float whose lower half is zero, ties to the even one. For finite values.</summary>
    private static float RoundToBFloat16(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        return BitConverter.UInt32BitsToSingle((bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000);
    }
}
