using MlaGen.Generator.Model;
using MlaGen.Generator.Planning;

namespace MlaGen.Generator.Tests.Planning;

/// <summary>What is planned for the shapes that matter most, on every tier, and for shapes that fit no vector.</summary>
public class PlannerTests
{
    [Theory]
    [InlineData(128, "Vector512", "columns 4×2×16 | values 16×2×16 | tokens 12, 4, 1 | value tiles 8 of 13, 2 of 12 | block 144 by 144 | registers 27 and 29 of 31 | ahead 24")]
    [InlineData(128, "Vector256", "columns 8×2×8 | values 32×2×8 | tokens 6, 4, 1 | value tiles 18 of 6, 4 of 5 | block 144 by 144 | registers 15 and 15 of 15 | ahead 24")]
    [InlineData(128, "Vector128", "columns 16×2×4 | values 64×2×4 | tokens 12, 4, 1 | value tiles 8 of 13, 2 of 12 | block 144 by 144 | registers 27 and 29 of 31 | ahead 24")]
    [InlineData(128, "Scalar", "columns 64×2×1 | values 256×2×1 | tokens 6, 4, 1 | value tiles 18 of 6, 4 of 5 | block 144 by 144 | registers 15 and 15 of 15 | ahead 0")]
    [InlineData(64, "Vector512", "columns 2×2×16 | values 16×2×16 | tokens 12, 4, 1 | value tiles 4 of 13, 12 | block 144 by 80 | registers 27 and 29 of 31 | ahead 24")]
    [InlineData(64, "Vector256", "columns 4×2×8 | values 32×2×8 | tokens 6, 4, 1 | value tiles 9 of 6, 2 of 5 | block 144 by 80 | registers 15 and 15 of 15 | ahead 24")]
    [InlineData(64, "Vector128", "columns 8×2×4 | values 64×2×4 | tokens 12, 4, 1 | value tiles 4 of 13, 12 | block 144 by 80 | registers 27 and 29 of 31 | ahead 24")]
    [InlineData(64, "Scalar", "columns 32×2×1 | values 256×2×1 | tokens 6, 4, 1 | value tiles 9 of 6, 2 of 5 | block 144 by 80 | registers 15 and 15 of 15 | ahead 0")]
    [InlineData(40, "Vector512", "columns 1×2×16 + 1×8 | values 8×2×16 | tokens 12, 4, 1 | value tiles 14, 2 of 13 | block 144 by 48 | registers 27 and 31 of 31 | ahead 24")]
    [InlineData(40, "Vector256", "columns 2×2×8 + 1×8 | values 16×2×8 | tokens 6, 4, 1 | value tiles 5 of 6, 2 of 5 | block 144 by 48 | registers 15 and 15 of 15 | ahead 24")]
    [InlineData(40, "Vector128", "columns 5×2×4 | values 32×2×4 | tokens 12, 4, 1 | value tiles 14, 2 of 13 | block 144 by 48 | registers 27 and 31 of 31 | ahead 24")]
    [InlineData(40, "Scalar", "columns 20×2×1 | values 128×2×1 | tokens 6, 4, 1 | value tiles 5 of 6, 2 of 5 | block 144 by 48 | registers 15 and 15 of 15 | ahead 0")]
    [InlineData(20, "Vector512", "columns 1×16 + 4 by depth | values 16×2×16 | tokens 24, 12, 4, 1 | value tiles 2 of 10 | block 144 by 48 | registers 29 and 23 of 31 | ahead 24")]
    [InlineData(20, "Vector256", "columns 1×2×8 + 4 by depth | values 32×2×8 | tokens 6, 4, 1 | value tiles 4 of 5 | block 144 by 48 | registers 15 and 13 of 15 | ahead 24")]
    [InlineData(20, "Vector128", "columns 2×2×4 + 1×4 | values 64×2×4 | tokens 12, 4, 1 | value tiles 2 of 10 | block 144 by 48 | registers 27 and 23 of 31 | ahead 24")]
    [InlineData(20, "Scalar", "columns 10×2×1 | values 256×2×1 | tokens 6, 4, 1 | value tiles 4 of 5 | block 144 by 48 | registers 15 and 13 of 15 | ahead 0")]
    [InlineData(16, "Vector512", "columns 1×16 | values 16×2×16 | tokens 24, 12, 4, 1 | value tiles 2 of 8 | block 144 by 16 | registers 26 and 19 of 31 | ahead 24")]
    [InlineData(16, "Vector256", "columns 1×2×8 | values 32×2×8 | tokens 6, 4, 1 | value tiles 6, 2 of 5 | block 144 by 16 | registers 15 and 15 of 15 | ahead 24")]
    [InlineData(16, "Vector128", "columns 2×2×4 | values 64×2×4 | tokens 12, 4, 1 | value tiles 2 of 8 | block 144 by 16 | registers 27 and 19 of 31 | ahead 24")]
    [InlineData(16, "Scalar", "columns 8×2×1 | values 256×2×1 | tokens 6, 4, 1 | value tiles 6, 2 of 5 | block 144 by 16 | registers 15 and 15 of 15 | ahead 0")]
    [InlineData(8, "Vector512", "columns 1×8 | values 2×2×16 | tokens 24, 12, 4, 1 | value tiles 8 | block 144 by 16 | registers 26 and 19 of 31 | ahead 24")]
    [InlineData(8, "Vector256", "columns 1×8 | values 4×2×8 | tokens 12, 6, 4, 1 | value tiles 2 of 4 | block 144 by 16 | registers 14 and 11 of 15 | ahead 24")]
    [InlineData(8, "Vector128", "columns 1×2×4 | values 8×2×4 | tokens 12, 4, 1 | value tiles 8 | block 144 by 16 | registers 27 and 19 of 31 | ahead 24")]
    [InlineData(8, "Scalar", "columns 4×2×1 | values 32×2×1 | tokens 6, 4, 1 | value tiles 2 of 4 | block 144 by 16 | registers 15 and 11 of 15 | ahead 0")]
    public void Decoding_of_a_published_shape(int heads, string tier, string plan)
    {
        KernelShape shape = heads switch
        {
            8 => PlannedShapes.Story,
            20 => PlannedShapes.Glm47Flash,
            40 => PlannedShapes.MiniCpm3,
            _ => PlannedShapes.DeepSeek(heads),
        };

        Assert.Equal(plan, PlannedShapes.Show(PlannedShapes.Decode(shape, tier)));
    }

    [Theory]
    [InlineData("Vector512", "columns 3×2×16 | values 4×2×16 | tokens 12, 4, 1 | value tiles 12, 8, 4 | block 240 by 112 | registers 27 and 27 of 31 | ahead 0")]
    [InlineData("Vector256", "columns 3×2×8 | values 8×2×8 | tokens 6, 4, 1 | value tiles 6, 4, 2 | block 240 by 48 | registers 15 and 15 of 15 | ahead 0")]
    [InlineData("Vector128", "columns 12×2×4 | values 16×2×4 | tokens 12, 4, 1 | value tiles 12, 8, 4 | block 240 by 112 | registers 27 and 27 of 31 | ahead 0")]
    [InlineData("Scalar", "columns 24×2×1 | values 64×2×1 | tokens 6, 4, 1 | value tiles 6, 4, 2 | block 240 by 48 | registers 15 and 15 of 15 | ahead 0")]
    public void Prefill_of_DeepSeek_V3(string tier, string plan)
        => Assert.Equal(plan, PlannedShapes.Show(PlannedShapes.Prefill(PlannedShapes.DeepSeek(128), tier)));

    [Theory]
    [InlineData(7, "1×8")]
    [InlineData(20, "1×16 + 4 by depth")]
    [InlineData(22, "1×16 + 1×8")]
    [InlineData(1, "4 by depth")]
    [InlineData(9, "1×8 + 4 by depth")]
    [InlineData(63, "1×2×16 + 1×16 + 1×8 + 1×4 + 4 by depth")]
    public void Heads_that_fit_no_vector_are_padded_to_the_next_narrow_one(int heads, string columns)
        => Assert.StartsWith($"columns {columns} | ", PlannedShapes.Show(PlannedShapes.Decode(PlannedShapes.DeepSeek(heads), "Vector512")), StringComparison.Ordinal);

    [Fact]
    public void A_plan_says_when_a_context_is_decompressed_and_how_a_row_is_split()
    {
        KernelPlan plan = KernelPlanner.Plan(PlannedShapes.DeepSeek(128));

        Assert.Equal(512 * 256 / ((1024 + 64) - (128 + 64 + 128)), plan.BreakEvenQueries);
        Assert.Equal(new KeySplit(MostParts: 64, SingleBlockParts: 4, PartBlocks: 2), plan.KeySplit);
    }

    [Theory]
    [InlineData(16, "Vector512 8, AmxMedium 8, AmxHigh 8, Avx512Bf16 8")]
    [InlineData(64, "Vector512 4, AmxMedium 4, AmxHigh 2, Avx512Bf16 8")]
    [InlineData(128, "Vector512 2, AmxMedium 2, AmxHigh 1, Avx512Bf16 4")]
    public void So_many_queries_share_a_pass_as_the_caches_hold(int heads, string expected)
    {
        KernelPlan plan = KernelPlanner.Plan(PlannedShapes.DeepSeek(heads) with { HasMachineCode = true });

        Assert.Equal(expected, string.Join(", ", plan.Matrix.Select(matrix => $"{matrix.Name} {matrix.MostQueries}").Prepend($"Vector512 {plan.Tiers[0].Decode.MostQueries}")));
    }

    [Fact]
    public void Decompressing_never_pays_where_the_latent_is_no_wider_than_keys_and_values()
        => Assert.Equal(0, KernelPlanner.BreakEvenQueries(new KernelShape(8, KvLoraRank: 32, QkRopeHeadDim: 16, QkNopeHeadDim: 32, VHeadDim: 32)));

    [Fact]
    public void A_tile_with_more_sums_than_registers_is_refused()
    {
        CorePlan core = PlannedShapes.Decode(PlannedShapes.DeepSeek(128), "Vector512");

        var problem = Assert.Throws<InvalidOperationException>(() => KernelPlanner.Checked(core with { TokenTiles = new EquatableArray<int>([15, 4, 1]) }));

        Assert.Equal(
            "DecodeVector512: Scores15Tokens32Columns is planned with 33 vector registers, at most 31 are allowed. The planner should have cut it smaller.",
            problem.Message);
    }

    [Theory]
    [InlineData("IL instructions", 8001, 1, 1)]
    [InlineData("multiply-add statements", 1, 1001, 1)]
    [InlineData("locals", 1, 1, 257)]
    public void A_method_beyond_a_limit_of_the_JIT_is_refused(string what, int ilInstructions, int multiplyAdds, int locals)
    {
        var method = new MethodPlan("Scores", ilInstructions, multiplyAdds, locals, Registers: null);

        Assert.Contains($"planned with {Math.Max(ilInstructions, Math.Max(multiplyAdds, locals))} {what}, at most", Assert.Throws<InvalidOperationException>(() => method.Check("DecodeVector512")).Message, StringComparison.Ordinal);
    }
}
