using MlaGen.Generator.Model;
using MlaGen.Generator.Planning;

namespace MlaGen.Generator.Emission.MachineCode;

/// <summary>Writes a core of machine code: sizes, and the bytes of its routines with the listing beside them.</summary>
internal sealed class MatrixCoreEmitter(CodeWriter writer, MatrixPlan plan)
{
    public void Layouts(KeySplit split)
    {
        writer.Line("private static readonly AbsorbedLayout s_layout = new()");
        writer.Line("{");
        writer.Line($"    BlockTokens = {plan.BlockTokens},");
        writer.Line($"    ScoreStride = {plan.ScoreStride},");
        writer.Line($"    Scratch = {plan.Scratch},");
        writer.Line($"    Queries = new QueryPairs(columns: {plan.Columns}, terms: {plan.Terms}),");
        writer.Line("    PrefetchTokens = 0,");
        writer.Line($"    MostParts = {split.MostParts},");
        writer.Line($"    SingleBlockParts = {split.SingleBlockParts},");
        writer.Line($"    PartBlocks = {split.PartBlocks},");
        writer.Line($"    MostQueries = {plan.MostQueries},");
        writer.Line("};");
        writer.Line();
        writer.Line("private static readonly MatrixLayout s_matrix = new()");
        writer.Line("{");
        writer.Line($"    TokenTile = {plan.TokenTile},");
        writer.Line($"    RowBytes = {plan.RowBytes},");
        writer.Line($"    Terms = {plan.Terms},");
        writer.Line($"    PanelWeights = {plan.PanelWeights},");
        writer.Line("};");
    }

    public void Routines()
    {
        string how = plan.HasTiles ? "tile by tile" : "two at a time";
        writer.Summary($"Scores of a block: score[token][column] = Σ row[token][d] · query[d][column], {plan.Depth} products each, {how}.");
        Routine("Scores", plan.HasTiles ? TileRoutines.Scores(plan) : PairRoutines.Scores(plan));
        writer.Line();
        writer.Summary($"Values of a block: sum[column][i] = sum[column][i] · rescale[column] + Σ probability[token][column] · latent[token][i], {how}.");
        Routine("Values", plan.HasTiles ? TileRoutines.Values(plan) : PairRoutines.Values(plan));
    }

    private void Routine(string name, Routine routine) => RoutineText.Write(writer, $"protected override MachineRoutine {name}", routine);
}
