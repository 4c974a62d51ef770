namespace MlaGen;

/// <summary>What the output of a head is multiplied by before <c>o_proj</c>: the sigmoid of a projection, or nothing.</summary>
public enum OutputGate
{
    /// <summary>No gate.</summary>
    None,

    /// <summary>One gate a head, <c>[Heads, HiddenSize]</c> from the hidden state: Ling 3 (<c>head_wise</c>).</summary>
    HeadWise,

    /// <summary>One gate an element, <c>[Heads·VHeadDim, HiddenSize]</c> from the hidden state: Kimi-K3, Hy4.</summary>
    ElementWise,

    /// <summary>
    /// One gate an element, from the query projection: <c>q_b_proj</c> is <c>[Heads·(QkNopeHeadDim+QkRopeHeadDim+VHeadDim), 2·QLoraRank]</c>, gives of each
    /// head the query and then the gate, and reads the query latent twice, normalised and then as it comes out of <c>q_a_proj</c>: A.X-K2.
    /// </summary>
    Query,
}
