using System.Globalization;
using MlaGen.Runtime;

namespace MlaGen.Generator.Model;

/// <summary>One projection of a layer: what its class is emitted from, and what a checkpoint's tensors are compared with.</summary>
/// <param name="Name">Name of its class.</param>
/// <param name="Tensor">Its Hugging Face name.</param>
/// <param name="What">What it computes, in words.</param>
/// <param name="Rows">Outputs, or the length of a vector.</param>
/// <param name="Columns">Inputs, 0 for a vector.</param>
/// <param name="Formula">Where the shape comes from.</param>
/// <param name="Bias">Whether it has biases.</param>
/// <param name="PanelRows">How many rows in turn fill panels of their own, as arguments; empty when all share them.</param>
internal sealed record ProjectionSpec(string Name, string Tensor, string What, int Rows, int Columns, string Formula, bool Bias, string PanelRows)
{
    public bool IsVector => Columns == 0;

    /// <summary>Whether it is the logits of attention sinks, a tensor by itself.</summary>
    public bool IsSinks => Tensor == ProjectionNames.Sinks;

    /// <summary>Name of the tensor of its weights.</summary>
    public string WeightTensor => ProjectionNames.WeightTensor(Tensor);

    /// <summary>The shape as messages and documentation show it.</summary>
    public string Shape => IsVector
        ? string.Format(CultureInfo.InvariantCulture, "[{0}]", Rows)
        : string.Format(CultureInfo.InvariantCulture, "[{0}, {1}]", Rows, Columns);

    /// <summary>The projections of a layer, in the order in which it uses them.</summary>
    public static IReadOnlyList<ProjectionSpec> Of(MlaSpec spec)
    {
        Dimensions d = spec.Dimensions;
        var list = new List<ProjectionSpec>();
        if (d.QLoraRank == 0)
        {
            list.Add(Matrix("QProj", ProjectionNames.QProj, "queries of all heads from the hidden state", d.Heads * d.QkHeadDim, d.HiddenSize, "[Heads·(QkNopeHeadDim+QkRopeHeadDim), HiddenSize]", false));
        }
        else
        {
            list.Add(Matrix("QAProj", ProjectionNames.QAProj, "the query latent from the hidden state", d.QLoraRank, d.HiddenSize, "[QLoraRank, HiddenSize]", spec.AttentionBias));
            list.Add(Vector("QALayernorm", ProjectionNames.QALayernorm, "norm of the query latent", d.QLoraRank, "[QLoraRank]"));
            list.Add(spec.OutputGate == OutputGate.Query
                ? Matrix("QBProj", ProjectionNames.QBProj, "of each head the query, then the output gate, from the query latent, normalised and then as it is", d.Heads * (d.QkHeadDim + d.VHeadDim), 2 * d.QLoraRank, "[Heads·(QkNopeHeadDim+QkRopeHeadDim+VHeadDim), 2·QLoraRank]", false)
                : Matrix("QBProj", ProjectionNames.QBProj, "queries of all heads from the query latent", d.Heads * d.QkHeadDim, d.QLoraRank, "[Heads·(QkNopeHeadDim+QkRopeHeadDim), QLoraRank]", false));
        }

        list.Add(Matrix("KvAProjWithMqa", ProjectionNames.KvAProjWithMqa, "latent and rotary key, in this order, from the hidden state", d.CacheRowElements, d.HiddenSize, "[KvLoraRank+QkRopeHeadDim, HiddenSize]", spec.AttentionBias));
        list.Add(Vector("KvALayernorm", ProjectionNames.KvALayernorm, "norm of the latent", d.KvLoraRank, "[KvLoraRank]"));
        list.Add(Matrix("KvBProj", ProjectionNames.KvBProj, "of each head the key without its rotary part, then the value, from the latent", d.Heads * (d.QkNopeHeadDim + d.VHeadDim), d.KvLoraRank, "[Heads·(QkNopeHeadDim+VHeadDim), KvLoraRank]", false, $"{d.QkNopeHeadDim}, {d.VHeadDim}"));
        if (spec.AttentionSinks)
        {
            list.Add(Vector("Sinks", ProjectionNames.Sinks, "of each head a logit that joins the softmax and has no value", d.Heads, "[Heads]"));
        }

        if (spec.OutputGate == OutputGate.HeadWise)
        {
            list.Add(Matrix("GateProj", spec.OutputGateName, "an output gate for each head from the hidden state", d.Heads, d.HiddenSize, "[Heads, HiddenSize]", false));
        }
        else if (spec.OutputGate == OutputGate.ElementWise)
        {
            list.Add(Matrix("GateProj", spec.OutputGateName, "an output gate for each element of all heads' values from the hidden state", d.Heads * d.VHeadDim, d.HiddenSize, "[Heads·VHeadDim, HiddenSize]", false));
        }

        list.Add(Matrix("OProj", ProjectionNames.OProj, "the layer's output from the values of all heads", d.HiddenSize, d.Heads * d.VHeadDim, "[HiddenSize, Heads·VHeadDim]", spec.AttentionBias));
        return list;
    }

    private static ProjectionSpec Matrix(string name, string tensor, string what, int rows, int columns, string formula, bool bias, string panelRows = "") =>
        new(name, tensor, what, rows, columns, formula, bias, panelRows);

    private static ProjectionSpec Vector(string name, string tensor, string what, int rows, string formula) =>
        new(name, tensor, what, rows, 0, formula, false, string.Empty);
}
