using System.Runtime.InteropServices;
using MlaGen.Generator.Emission.MachineCode;
using MlaGen.Generator.Model;
using MlaGen.Generator.Planning;
using MlaGen.Tests.MachineCode.Interpreter;

namespace MlaGen.Generator.Tests.MachineCode;

/// <summary>The products of every kind of decompressed core: decoded again, and executed in memory of exactly the plan's sizes.</summary>
public sealed class PrefillRoutineTests
{
    /// <summary>Keys and values of one tile and of many, of no whole tile, and the largest published ones.</summary>
    private static readonly KernelShape[] _shapes =
        [new(8, 64, 16, 16, 16, true), new(7, 96, 6, 21, 13, true), new(2, 32, 0, 40, 27, true), new(128, 512, 64, 128, 128, true), new(20, 512, 64, 192, 256, true)];

    private static readonly Dictionary<string, (MatrixPrefillPlan Plan, ProductPlan Product)> _products = (
        from shape in _shapes
        from plan in KernelPlanner.Plan(shape).MatrixPrefill
        from product in plan.Products
        select (Name: $"{plan.Name} {shape.Name}: {product.Name}", plan, product)).ToDictionary(product => product.Name, product => (product.plan, product.product));

    public static TheoryData<string> Products => [.. _products.Keys];

    [Fact]
    public void Shapes_whose_rows_cannot_be_read_in_pairs_have_none()
    {
        Assert.Empty(KernelPlanner.Plan(new KernelShape(8, 64, 16, 16, 16)).MatrixPrefill);
        Assert.Empty(KernelPlanner.Plan(new KernelShape(8, 72, 16, 16, 16, true)).MatrixPrefill);
        Assert.Empty(KernelPlanner.Plan(new KernelShape(8, 64, 5, 16, 16, true)).MatrixPrefill);
    }

    [Theory]
    [MemberData(nameof(Products))]
    public void Decoded_again_it_is_instructions_of_the_target_alone(string name)
        => RoutineTests.AssertInstructions(Assembled(name), _products[name].Plan.Target);

    [Theory]
    [MemberData(nameof(Products))]
    public void The_same_plan_gives_the_same_bytes(string name) => Assert.Equal(Assembled(name).Bytes, Assembled(name).Bytes);

    [Theory]
    [MemberData(nameof(Products))]
    public void Executed_it_multiplies_and_touches_nothing_else(string name)
    {
        (MatrixPrefillPlan plan, ProductPlan product) = _products[name];
        foreach (bool windows in (bool[])[false, true])
        {
            // One tile of what the call says, and two, the long depths once.
            int tiles = product.Depth > 200 ? 1 : 2;
            Check(product, Assembled(name), tiles * plan.TokenTile, tiles * ProductPlan.TileColumns, tiles * Math.Max(plan.PaddedKeys, 6), windows);
        }
    }

    private static void Check(ProductPlan plan, Routine routine, int rows, int columns, int depth, bool windows)
    {
        rows = plan.CountsRows ? rows : plan.Rows;
        columns = plan.Columns == 0 ? columns : plan.Columns;
        depth = plan.Depth == 0 ? depth : plan.Depth;
        var random = new Random(rows + columns + depth);
        var processor = new Processor(routine.Bytes);
        byte[] left = new byte[((rows - 1) * plan.Left.RowBytes) + ((plan.Left.Terms - 1) * plan.Left.TermBytes) + (2 * depth)];
        byte[] right = new byte[(((columns / 16) - 1) * plan.Right.PanelBytes) + ((plan.Right.Terms - 1) * plan.Right.TermBytes) + (((depth / 2) - 1) * plan.Right.PairBytes) + 64];
        byte[] result = new byte[((rows - 1) * plan.ResultBytes) + (sizeof(float) * columns)];
        float[] rescale = [.. Enumerable.Range(0, columns).Select(_ => Rounded(random))];
        double[,] expected = new double[rows, columns];
        float[,,] lefts = new float[rows, plan.Left.Terms, depth];
        float[,,] rights = new float[columns, plan.Right.Terms, depth];
        for (int row = 0; row < rows; row++)
        {
            for (int term = 0; term < plan.Left.Terms; term++)
            {
                for (int d = 0; d < depth; d++)
                {
                    Write(left, (row * plan.Left.RowBytes) + (term * plan.Left.TermBytes) + (2 * d), lefts[row, term, d] = Rounded(random));
                }
            }
        }

        for (int column = 0; column < columns; column++)
        {
            for (int term = 0; term < plan.Right.Terms; term++)
            {
                for (int d = 0; d < depth; d++)
                {
                    int place = (column / 16 * plan.Right.PanelBytes) + (term * plan.Right.TermBytes) + (d / 2 * plan.Right.PairBytes) + (column % 16 * 4) + (d % 2 * 2);
                    Write(right, place, rights[column, term, d] = Rounded(random));
                }
            }
        }

        // All products of terms but the last one's with the last one's.
        int most = Math.Max(plan.Left.Terms, plan.Right.Terms);
        for (int row = 0; row < rows; row++)
        {
            for (int column = 0; column < columns; column++)
            {
                float before = Rounded(random);
                BitConverter.TryWriteBytes(result.AsSpan((row * plan.ResultBytes) + (sizeof(float) * column)), before);
                double sum = plan.Accumulates ? (double)before * rescale[column] : 0;
                for (int l = 0; l < plan.Left.Terms; l++)
                {
                    for (int r = 0; r < plan.Right.Terms && l + r < most; r++)
                    {
                        for (int d = 0; d < depth; d++)
                        {
                            sum += (double)lefts[row, l, d] * rights[column, r, d];
                        }
                    }
                }

                expected[row, column] = sum;
            }
        }

        ulong[] arguments = new ulong[PrefillArguments.Count];
        arguments[0] = processor.Add("left", left, isReadOnly: true);
        arguments[1] = processor.Add("right", right, isReadOnly: true);
        arguments[2] = processor.Add("result", result, isReadOnly: false);
        (arguments[3], arguments[4], arguments[5]) = ((ulong)rows, (ulong)columns, (ulong)depth);
        arguments[6] = processor.Add("rescale", MemoryMarshal.AsBytes(rescale.AsSpan()).ToArray(), isReadOnly: true);
        ulong address = processor.Add("arguments", MemoryMarshal.AsBytes(arguments.AsSpan()).ToArray(), isReadOnly: false);
        processor.Call(windows ? routine.WindowsEntry : 0, address, windows);
        for (int row = 0; row < rows; row++)
        {
            for (int column = 0; column < columns; column++)
            {
                float found = BitConverter.ToSingle(result, (row * plan.ResultBytes) + (sizeof(float) * column));
                Assert.True(Math.Abs(expected[row, column] - found) < 2e-6 * depth, $"[{row}, {column}] is {found}, not {expected[row, column]}.");
            }
        }
    }

    private static Routine Assembled(string name) => PairProducts.Assemble(_products[name].Product);

    /// <summary>A number that bfloat16 holds exactly.</summary>
    private static float Rounded(Random random) => BitConverter.UInt32BitsToSingle(BitConverter.SingleToUInt32Bits((float)((2 * random.NextDouble()) - 1)) & 0xFFFF0000);

    private static void Write(byte[] bytes, int place, float value) => BitConverter.TryWriteBytes(bytes.AsSpan(place), (ushort)(BitConverter.SingleToUInt32Bits(value) >> 16));
}
