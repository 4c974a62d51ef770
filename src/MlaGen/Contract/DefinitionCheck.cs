using System.Numerics;

namespace MlaGen.Runtime;

/// <summary>Holds what a class was emitted with against what the runtime relies on, before it computes anything.</summary>
internal static class DefinitionCheck
{
    /// <exception cref="InvalidOperationException">The definition was emitted for another version of the package, or contradicts itself.</exception>
    public static void Check(MlaDefinition definition)
    {
        if (definition.Contract != MlaContract.Number)
        {
            throw new InvalidOperationException(FormattableString.Invariant(
                $"The code of this class was emitted for contract {definition.Contract} of the MlaGen package; this runtime keeps contract {MlaContract.Number}. Rebuild the assembly that has the class with the package that it runs with."));
        }

        MlaShape shape = definition.Shape;
        Require(shape.Heads > 0 && shape.KvLoraRank > 0 && shape.QkNopeHeadDim > 0 && shape.VHeadDim > 0 && shape.QkRopeHeadDim >= 0 && shape.QLoraRank >= 0 && shape.HiddenSize > 0, "dimensions are positive");
        Require(definition.InverseFrequencies.Length == 0 || definition.InverseFrequencies.Length * 2 == shape.QkRopeHeadDim, "a frequency for each pair of the rotary key");
        Require(float.IsFinite(definition.SoftmaxScale) && float.IsFinite(definition.QLatentScale) && float.IsFinite(definition.KvLatentScale), "factors are finite");
        Require(Enum.IsDefined(definition.OutputGate) && (definition.OutputGate != OutputGate.Query || shape.QLoraRank > 0), "output gates come from the hidden state, or from a query latent");
        Require(RunsAnywhere(definition.Kernels.Absorbed) && RunsAnywhere(definition.Kernels.Decompressed), "each form has a core that runs anywhere, the last one");
        if (definition.Indexer is { } indexer)
        {
            Require(indexer.TopK > 0 && indexer.Heads > 0 && indexer.HeadDim > 0 && shape.QLoraRank > 0, "an indexer has dimensions and a query latent");
            Require(indexer.RopeLayout == RopeLayout.None || indexer.HeadDim >= shape.QkRopeHeadDim, "an index key has room for its rotary part");
            Require(indexer.PoolTokens >= 0 && indexer.Units > 0, "a query selects at least one pool");
            Require(double.IsFinite(indexer.NormEpsilon), "the epsilon of the index key's norm is finite");
        }

        foreach (AbsorbedCore core in definition.Kernels.Absorbed)
        {
            AbsorbedLayout layout = core.Layout;
            Require(layout.BlockTokens > 0 && layout.PrefetchTokens >= 0, "a block has rows");
            Require(layout.Queries.Columns >= shape.Heads && layout.ScoreStride >= layout.Queries.Columns, "a column for each head");
            Require(BitOperations.IsPow2(layout.MostParts) && layout.SingleBlockParts > 0 && layout.PartBlocks > 0, "parts are a power of two");
            Require(layout.MostQueries > 0, "a query goes through its keys");
        }

        foreach (DecompressedCore core in definition.Kernels.Decompressed)
        {
            DecompressedLayout layout = core.Layout;
            Require(core.HoldsTile(shape), "a tile holds keys and values");
            Require(core.Operand == RowOperand.Float32, "keys and values are decompressed from floats");
            Require(layout.QueryPanel > 0 && layout.QueryTile > 0 && layout.QueryTile % layout.QueryPanel == 0 && layout.ScoreStride >= layout.QueryTile, "a tile of queries is whole panels");
        }
    }

    private static bool RunsAnywhere(AttentionCore[] cores) => cores is [.., { Target: CoreTarget.Scalar, Operand: RowOperand.Float32 }];

    private static void Require(bool holds, string what)
    {
        if (!holds)
        {
            throw new InvalidOperationException($"The code emitted for this class contradicts itself ({what}). Rebuild the assembly that has it.");
        }
    }
}
