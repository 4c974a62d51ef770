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
    public void Shapes_whose_latents_are_no_whole_cache_lines_have_none()
    {
        Assert.Empty(KernelPlanner.Plan(new KernelShape(8, 64, 16, 16, 16)).MatrixPrefill);
        Assert.Empty(KernelPlanner.Plan(new KernelShape(8, 72, 16, 16, 16, true)).MatrixPrefill);
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
        bool isInt16 = plan.Numbers == ProductNumbers.Int16;
        rows = plan.CountsRows ? rows : plan.Rows;
        columns = plan.Columns == 0 ? columns : plan.Columns;
        depth = plan.Depth == 0 ? depth : plan.Depth;
        var random = new Random(rows + columns + depth);
        var processor = new Processor(routine.Bytes);
        byte[] left = new byte[((rows - 1) * plan.LeftBytes) + (2 * depth)];
        byte[] right = new byte[(((columns / 16) - 1) * plan.Right.PanelBytes) + (((depth / 2) - 1) * plan.Right.PairBytes) + 64];
        int resultBytes = plan.RoundsResults ? sizeof(ushort) : sizeof(float);
        byte[] result = new byte[((rows - 1) * plan.ResultBytes) + (resultBytes * columns)];
        float[] rowScales = [.. Enumerable.Range(0, rows).Select(_ => Rounded(random))];
        float[] columnFactors = [.. Enumerable.Range(0, columns).Select(_ => Rounded(random))];
        double[,] lefts = new double[rows, depth];
        double[,] rights = new double[columns, depth];
        double[,] expected = new double[rows, columns];

        // Whole numbers as large as their depth allows, and one row and column of the largest there are.
        int most = (int)(46340 / Math.Sqrt(depth));
        for (int d = 0; d < depth; d++)
        {
            for (int row = 0; row < rows; row++)
            {
                lefts[row, d] = Write(left, (row * plan.LeftBytes) + (2 * d), row == 1);
            }

            for (int column = 0; column < columns; column++)
            {
                rights[column, d] = Write(right, (column / 16 * plan.Right.PanelBytes) + (d / 2 * plan.Right.PairBytes) + (column % 16 * 4) + (d % 2 * 2), column == 1);
            }
        }

        for (int row = 0; row < rows; row++)
        {
            for (int column = 0; column < columns; column++)
            {
                float before = Rounded(random);
                if (!plan.RoundsResults)
                {
                    BitConverter.TryWriteBytes(result.AsSpan((row * plan.ResultBytes) + (sizeof(float) * column)), before);
                }

                double sum = Enumerable.Range(0, depth).Sum(d => lefts[row, d] * rights[column, d]);
                expected[row, column] = isInt16 ? sum * rowScales[row] * columnFactors[column] : sum + ((double)before * columnFactors[column]);
            }
        }

        ulong[] arguments = new ulong[PrefillArguments.Count];
        arguments[0] = processor.Add("left", left, isReadOnly: true);
        arguments[1] = processor.Add("right", right, isReadOnly: true);
        arguments[2] = processor.Add("result", result, isReadOnly: false);
        (arguments[3], arguments[4], arguments[5]) = ((ulong)rows, (ulong)columns, (ulong)depth);
        arguments[6] = processor.Add("column factors", MemoryMarshal.AsBytes(columnFactors.AsSpan()).ToArray(), isReadOnly: true);
        arguments[7] = isInt16 ? processor.Add("row scales", MemoryMarshal.AsBytes(rowScales.AsSpan()).ToArray(), isReadOnly: true) : 0;
        ulong address = processor.Add("arguments", MemoryMarshal.AsBytes(arguments.AsSpan()).ToArray(), isReadOnly: false);
        processor.Call(windows ? routine.WindowsEntry : 0, address, windows);
        for (int row = 0; row < rows; row++)
        {
            for (int column = 0; column < columns; column++)
            {
                int place = (row * plan.ResultBytes) + (resultBytes * column);
                float found = plan.RoundsResults ? Widened(BitConverter.ToUInt16(result, place)) : BitConverter.ToSingle(result, place);

                // Rounding to nearest moves a number by the 256th part of it at most.
                double allowed = isInt16 ? ((plan.RoundsResults ? 1.0 / 256 : 0) + 3e-7) * Math.Abs(expected[row, column]) : 2e-6 * depth;
                Assert.True(Math.Abs(expected[row, column] - found) <= allowed, $"[{row}, {column}] is {found}, not {expected[row, column]}.");
            }
        }

        double Write(byte[] bytes, int place, bool isLargest)
        {
            short number = isInt16 ? (short)(isLargest ? most : random.Next(-most, most + 1)) : (short)(BitConverter.SingleToUInt32Bits(Rounded(random)) >> 16);
            BitConverter.TryWriteBytes(bytes.AsSpan(place), number);
            return isInt16 ? number : Widened((ushort)number);
        }
    }

    private static Routine Assembled(string name) => PairProducts.Assemble(_products[name].Product);

    private static float Widened(ushort number) => BitConverter.UInt32BitsToSingle((uint)number << 16);

    /// <summary>A number that bfloat16 holds exactly.</summary>
    private static float Rounded(Random random) => BitConverter.UInt32BitsToSingle(BitConverter.SingleToUInt32Bits((float)((2 * random.NextDouble()) - 1)) & 0xFFFF0000);
}
