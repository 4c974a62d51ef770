namespace MlaGen.Tests.Oracles;

/// <summary>A causal pass over a sequence.</summary>
/// <param name="Output"><c>[tokens, hidden]</c>.</param>
/// <param name="Latent"><c>[tokens, latent]</c>, as cached.</param>
/// <param name="KRope"><c>[tokens, rope]</c>, as cached: the first elements of all pairs, then the second ones.</param>
/// <param name="Attention"><c>[tokens, heads · v]</c>, what enters the output projection.</param>
/// <param name="MaxScore">The largest magnitude among the scaled scores.</param>
internal sealed record OracleResult(double[] Output, double[] Latent, double[] KRope, double[] Attention, double MaxScore);
