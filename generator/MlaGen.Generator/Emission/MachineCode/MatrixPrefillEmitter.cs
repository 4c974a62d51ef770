using MlaGen.Generator.Planning;

namespace MlaGen.Generator.Emission.MachineCode;

/// <summary>Writes a decompressed core of machine code: sizes, and its four products.</summary>
internal sealed class MatrixPrefillEmitter(CodeWriter writer, MatrixPrefillPlan plan)
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
        writer.Line("private static readonly DecompressedMatrixLayout s_matrix = new()");
        writer.Line("{");
        writer.Line($"    ScoreTile = {plan.ScoreTile},");
        writer.Line($"    TokenTile = {plan.TokenTile},");
        writer.Line($"    PaddedKeys = {plan.PaddedKeys},");
        writer.Line($"    KeyDepth = {plan.KeyDepth},");
        writer.Line($"    KeyColumns = {plan.KeyColumns},");
        writer.Line($"    ValueRows = {plan.ValueRows},");
        writer.Line($"    LatentStride = {plan.LatentBytes / sizeof(float)},");
        writer.Line($"    KeySumStride = {plan.KeySumBytes / sizeof(float)},");
        writer.Line("};");
    }

    public void Routines()
    {
        Product("Keys of a head: key[token][i] = scale[token] · scale[i] · Σ latent[token][d] · weight[d][i].", plan.Keys);
        writer.Line();
        Product("Values of a head, turned, rounded to bfloat16: value[i][token] = scale[i] · scale[token] · Σ weight[i][d] · latent[d][token].", plan.Values);
        writer.Line();
        Product("Scores of a panel of queries: score[token][query] = scale[token] · scale[query] · Σ key[token][d] · query[d][query].", plan.Scores);
        writer.Line();
        Product("Sums of values, turned: sum[i][query] = sum[i][query] · rescale[query] + Σ value[i][token] · probability[token][query].", plan.Sums);
    }

    private void Product(string summary, ProductPlan product)
    {
        writer.Summary(summary);
        RoutineText.Write(writer, $"protected override MachineRoutine {product.Name}", PairProducts.Assemble(product));
    }
}
