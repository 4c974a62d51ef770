namespace MlaGen.Models;

/// <summary>What a family fixes of its sparse indexer.</summary>
/// <param name="RopeLayout">Which elements of the rotary part form a pair, unless <c>indexer_rope_interleave</c> says it.</param>
/// <param name="RotatesLast">Whether the rotary part is the last one of query and key; else it is the first.</param>
/// <param name="NormEpsilon">Epsilon of the index key's norm.</param>
/// <param name="Frequency">Every which layer has an indexer, unless <c>index_topk_freq</c> says it.</param>
internal sealed record IndexerRules(RopeLayout RopeLayout, bool RotatesLast = false, double NormEpsilon = 1e-6, int Frequency = 1);
