using MlaGen.Tests.Golden;

namespace MlaGen.Tests.Oracles;

/// <summary>Counter-random weights and inputs for any shape, named like a checkpoint's tensors.</summary>
internal static class RandomLayer
{
    /// <summary>All tensors of a layer; queries and keys get gain 2, so that the softmax is far from uniform.</summary>
    public static Dictionary<string, WeightTensor> Weights(OracleSpec spec, string name, bool biases = false)
    {
        var weights = new Dictionary<string, WeightTensor>();
        if (spec.QLoraRank == 0)
        {
            Matrix("q_proj", spec.Heads * spec.QkHeadDim, spec.HiddenSize, 2);
        }
        else
        {
            Matrix("q_a_proj", spec.QLoraRank, spec.HiddenSize);
            Norm("q_a_layernorm", spec.QLoraRank);
            bool isGated = spec.Gate == OutputGate.Query;
            Matrix("q_b_proj", spec.Heads * (spec.QkHeadDim + (isGated ? spec.VHeadDim : 0)), (isGated ? 2 : 1) * spec.QLoraRank, 2);
        }

        Matrix("kv_a_proj_with_mqa", spec.RowWidth, spec.HiddenSize);
        Norm("kv_a_layernorm", spec.KvLoraRank);
        Matrix("kv_b_proj", spec.Heads * (spec.QkNopeHeadDim + spec.VHeadDim), spec.KvLoraRank, 2);
        if (spec.Gate is OutputGate.HeadWise or OutputGate.ElementWise)
        {
            Matrix(spec.GateName, spec.Heads * (spec.Gate == OutputGate.HeadWise ? 1 : spec.VHeadDim), spec.HiddenSize, 2);
        }

        if (spec.HasSinks)
        {
            // Some above and some below what the scores add up to.
            Add("learnable_sink_param", [spec.Heads], seed => CounterRandom.Tensor(seed, spec.Heads, 16));
        }

        Matrix("o_proj", spec.HiddenSize, spec.Heads * spec.VHeadDim);
        if (biases)
        {
            Bias("kv_a_proj_with_mqa", spec.RowWidth);
            Bias("o_proj", spec.HiddenSize);
            if (spec.QLoraRank != 0)
            {
                Bias("q_a_proj", spec.QLoraRank);
            }
        }

        return weights;

        void Matrix(string projection, int rows, int columns, double gain = 1)
            => Add($"{projection}.weight", [rows, columns], seed => CounterRandom.Matrix(seed, rows, columns, gain));

        void Norm(string norm, int length) => Add($"{norm}.weight", [length], seed => CounterRandom.Norm(seed, length));

        void Bias(string projection, int length) => Add($"{projection}.bias", [length], seed => CounterRandom.Bias(seed, length));

        void Add(string tensor, int[] shape, Func<string, float[]> values) => weights.Add(tensor, new WeightTensor(shape, values($"{name}/{tensor}")));
    }
}
