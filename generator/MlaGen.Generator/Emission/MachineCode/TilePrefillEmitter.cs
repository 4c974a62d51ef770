using MlaGen.Generator.Planning;

namespace MlaGen.Generator.Emission.MachineCode;

/// <summary>Writes a decompressed core of tiles: sizes, and its four products.</summary>
internal sealed class TilePrefillEmitter(CodeWriter writer, TilePrefillPlan plan)
{
    public void Layouts()
    {
        writer.Line("private static readonly DecompressedLayout s_layout = new()");
        writer.Line("{");
        writer.Line($"    KeyTile = {plan.KeyTile},");
        writer.Line($"    ScoreStride = {plan.Queries},");
        writer.Line($"    KeyStride = {plan.KeyBytes / sizeof(float)},");
        writer.Line($"    ValueStride = {plan.ValueBytes / sizeof(float)},");
        writer.Line($"    QueryTile = {plan.Queries},");
        writer.Line($"    QueryPanel = {plan.Queries},");
        writer.Line("};");
        writer.Line();
        writer.Line("private static readonly DecompressedTileLayout s_tiles = new()");
        writer.Line("{");
        writer.Line($"    ScoreTile = {plan.ScoreTile},");
        writer.Line($"    Terms = {plan.Terms},");
        writer.Line($"    KeyTerms = {plan.KeyTerms},");
        writer.Line($"    LatentTerms = {plan.LatentTerms},");
        writer.Line($"    KeyDepth = {plan.KeyDepth},");
        writer.Line($"    KeyColumns = {plan.KeyColumns},");
        writer.Line($"    ValueRows = {plan.ValueRows},");
        writer.Line($"    KeySumStride = {plan.KeySumBytes / sizeof(float)},");
        writer.Line($"    ValueSumStride = {plan.ValueSumBytes / sizeof(float)},");
        writer.Line("};");
    }

    public void Routines()
    {
        Product("Keys of a head: key[token][i] = Σ latent[token][d] · weight[d][i].", plan.Keys);
        writer.Line();
        Product("Values of a head, turned: value[i][token] = Σ weight[i][d] · latent[d][token].", plan.Values);
        writer.Line();
        if (plan.CodeScores is { } scores)
        {
            writer.Summary("Scores of a panel of queries: score[token][query] = scale[token] · scale[query] · Σ key[token][d] · query[d][query].");
            RoutineText.Write(writer, "protected override MachineRoutine Scores", CodeProducts.Assemble(scores));
        }
        else
        {
            Product("Scores of a panel of queries: score[token][query] = Σ key[token][d] · query[d][query].", plan.TermScores!);
        }

        writer.Line();
        Product("Sums of values, turned: sum[i][query] = sum[i][query] · rescale[query] + Σ value[i][token] · probability[token][query].", plan.Sums);
    }

    private void Product(string summary, TileProductPlan product)
    {
        writer.Summary(summary);
        RoutineText.Write(writer, $"protected override MachineRoutine {product.Name}", TileProducts.Assemble(product));
    }
}
