using System.Runtime.InteropServices;
using MlaGen.Generator.Emission.MachineCode;
using MlaGen.Generator.Model;
using MlaGen.Generator.Planning;
using MlaGen.Tests.MachineCode.Interpreter;

namespace MlaGen.Generator.Tests.MachineCode;

/// <summary>The products of every kind of decompressed core of tiles: decoded again, and executed in memory of exactly the plan's sizes.</summary>
public sealed class TilePrefillRoutineTests
{
    private static readonly KernelShape[] _shapes = [new(8, 64, 16, 16, 16, true), new(7, 96, 6, 21, 13, true), new(128, 512, 64, 128, 128, true)];

    private static readonly Dictionary<string, TileProductPlan> _products = (
        from shape in _shapes
        from plan in KernelPlanner.Plan(shape).TilePrefill
        from product in plan.Products
        select (Name: $"{plan.Name} {shape.Name}: {product.Name}", product)).ToDictionary(product => product.Name, product => product.product);

    private static readonly Dictionary<string, CodeProductPlan> _codes = (
        from shape in _shapes
        from plan in KernelPlanner.Plan(shape).TilePrefill
        where plan.CodeScores is not null
        select (Name: $"{plan.Name} {shape.Name}: Codes", plan.CodeScores)).ToDictionary(product => product.Name, product => product.CodeScores);

    public static TheoryData<string> Products => [.. _products.Keys];

    public static TheoryData<string> Codes => [.. _codes.Keys];

    public static TheoryData<string> Routines => [.. _products.Keys, .. _codes.Keys];

    [Fact]
    public void Shapes_whose_latents_are_no_whole_tiles_have_none()
    {
        Assert.Empty(KernelPlanner.Plan(new KernelShape(8, 64, 16, 16, 16)).TilePrefill);
        Assert.Empty(KernelPlanner.Plan(new KernelShape(8, 80, 16, 16, 16, true)).TilePrefill);
    }

    [Fact]
    public void A_plan_of_parts_of_tiles_is_refused()
        => Assert.Contains("keys' elements, 24", Assert.Throws<InvalidOperationException>(() => TilePrefillPlanner.Checked(new TilePrefillPlan(MlaGen.Generator.Model.MlaPrecision.High, 64, 24, 32, 32, 256, 256, 32))).Message, StringComparison.Ordinal);

    [Fact]
    public void A_plan_of_parts_of_steps_of_codes_is_refused()
        => Assert.Contains("keys' elements, 96", Assert.Throws<InvalidOperationException>(() => TilePrefillPlanner.Checked(new TilePrefillPlan(MlaGen.Generator.Model.MlaPrecision.Medium, 64, 96, 32, 32, 256, 256, 32))).Message, StringComparison.Ordinal);

    [Theory]
    [MemberData(nameof(Routines))]
    public void Decoded_again_it_is_instructions_of_the_target_alone(string name)
        => RoutineTests.AssertInstructions(Assembled(name), TilePrefillPlan.Target);

    [Theory]
    [MemberData(nameof(Routines))]
    public void The_same_plan_gives_the_same_bytes(string name) => Assert.Equal(Assembled(name).Bytes, Assembled(name).Bytes);

    [Theory]
    [MemberData(nameof(Products))]
    public void Executed_it_multiplies_and_touches_nothing_else(string name)
    {
        TileProductPlan product = _products[name];

        // Two tiles of columns where there is room for them.
        int columns = Math.Min(2, product.ResultBytes / TileProductPlan.SideBytes) * TileProductPlan.Side;
        foreach (int leftTerms in Terms(product.Left))
        {
            foreach (int rightTerms in Terms(product.Right))
            {
                Check(product, Assembled(name), leftTerms, rightTerms, rows: 32, columns, Math.Min(64, product.Left.TermBytes / 32), windows: false);
                Check(product, Assembled(name), leftTerms, rightTerms, rows: 64, columns: 32, depth: 32, windows: true);
            }
        }

        static int[] Terms(TileOperand operand) => operand.SaysTerms ? [1, operand.Terms] : [operand.Terms];
    }

    [Theory]
    [MemberData(nameof(Codes))]
    public void Executed_it_multiplies_codes_and_touches_nothing_else(string name)
    {
        Check(_codes[name], Assembled(name), rows: 16, windows: false);
        Check(_codes[name], Assembled(name), rows: 48, windows: true);
    }

    /// <summary>Sums of integers are exact; what low bytes give of each other is left out.</summary>
    private static void Check(CodeProductPlan plan, Routine routine, int rows, bool windows)
    {
        var random = new Random(rows + plan.KeyDepth);
        var processor = new Processor(routine.Bytes);
        (byte[] left, short[,] lefts) = Operand(rows);
        (byte[] right, short[,] rights) = Operand(CodeProductPlan.Columns);
        float[] rowScales = [.. Enumerable.Range(0, rows).Select(_ => Rounded(random))];
        float[] columnScales = [.. Enumerable.Range(0, CodeProductPlan.Columns).Select(_ => Rounded(random))];
        byte[] result = new byte[((rows - 1) * plan.ResultBytes) + (sizeof(float) * CodeProductPlan.Columns)];
        ulong[] arguments = new ulong[TilePrefillArguments.Count];
        arguments[0] = processor.Add("left", left, isReadOnly: true);
        arguments[1] = processor.Add("right", right, isReadOnly: true);
        arguments[2] = processor.Add("result", result, isReadOnly: false);
        (arguments[3], arguments[4], arguments[5]) = ((ulong)rows, CodeProductPlan.Columns, (ulong)plan.KeyDepth);
        arguments[8] = processor.Add("factors", MemoryMarshal.AsBytes(columnScales.AsSpan()).ToArray(), isReadOnly: true);
        arguments[9] = processor.Add("scratch", new byte[2 * CodeProductPlan.SumBytes], isReadOnly: false);
        arguments[11] = processor.Add("row scales", MemoryMarshal.AsBytes(rowScales.AsSpan()).ToArray(), isReadOnly: true);
        processor.Call(windows ? routine.WindowsEntry : 0, processor.Add("arguments", MemoryMarshal.AsBytes(arguments.AsSpan()).ToArray(), isReadOnly: false), windows);
        for (int row = 0; row < rows; row++)
        {
            for (int column = 0; column < CodeProductPlan.Columns; column++)
            {
                int sum = 0;
                for (int d = 0; d < plan.KeyDepth; d++)
                {
                    (int high, int low) = Planes(lefts[row, d]);
                    (int otherHigh, int otherLow) = Planes(rights[column, d]);
                    sum += (256 * high * otherHigh) + (high * otherLow) + (low * otherHigh);
                }

                Assert.Equal(rowScales[row] * columnScales[column] * sum, BitConverter.ToSingle(result, (row * plan.ResultBytes) + (sizeof(float) * column)));
            }
        }

        (byte[] Bytes, short[,] Codes) Operand(int vectors)
        {
            byte[] bytes = new byte[vectors / 16 * 2 * plan.PlaneBytes];
            short[,] codes = new short[vectors, plan.KeyDepth];
            for (int vector = 0; vector < vectors; vector++)
            {
                for (int d = 0; d < plan.KeyDepth; d++)
                {
                    codes[vector, d] = (short)random.Next(-32639, 32640);

                    // Rows of words of four elements on the left; on the right rows of words are depths.
                    int word = vectors == rows ? (vector % 16 * 64) + (d % 64) : (d % 64 / 4 * 64) + (vector % 16 * 4) + (d % 4);
                    int place = (vector / 16 * 2 * plan.PlaneBytes) + (d / 64 * 1024) + word;
                    (int high, int low) = Planes(codes[vector, d]);
                    (bytes[place], bytes[place + plan.PlaneBytes]) = ((byte)high, (byte)low);
                }
            }

            return (bytes, codes);
        }

        static (int High, int Low) Planes(int code) => ((code + 128) >> 8, (sbyte)code);
    }

    private static void Check(TileProductPlan plan, Routine routine, int leftTerms, int rightTerms, int rows, int columns, int depth, bool windows)
    {
        var random = new Random(rows + columns + depth);
        var processor = new Processor(routine.Bytes);
        byte[] left = new byte[(((rows / 16) - 1) * plan.Left.PanelBytes) + ((leftTerms - 1) * plan.Left.TermBytes) + (32 * depth)];
        byte[] right = new byte[(((columns / 16) - 1) * plan.Right.PanelBytes) + ((rightTerms - 1) * plan.Right.TermBytes) + (((depth / 2) - 1) * plan.Right.Stride) + 64];
        byte[] result = new byte[((rows - 1) * plan.ResultBytes) + (sizeof(float) * columns)];
        float[] factors = [.. Enumerable.Range(0, columns).Select(_ => Rounded(random))];
        double[,,] lefts = new double[leftTerms, rows, depth];
        double[,,] rights = new double[rightTerms, columns, depth];
        for (int d = 0; d < depth; d++)
        {
            for (int row = 0; row < rows; row++)
            {
                for (int term = 0; term < leftTerms; term++)
                {
                    lefts[term, row, d] = Write(left, (row / 16 * plan.Left.PanelBytes) + (term * plan.Left.TermBytes) + (d / 32 * 1024) + (row % 16 * plan.Left.Stride) + (d % 32 * 2));
                }
            }

            for (int column = 0; column < columns; column++)
            {
                for (int term = 0; term < rightTerms; term++)
                {
                    rights[term, column, d] = Write(right, (column / 16 * plan.Right.PanelBytes) + (term * plan.Right.TermBytes) + (d / 2 * plan.Right.Stride) + (column % 16 * 4) + (d % 2 * 2));
                }
            }
        }

        double[,] expected = new double[rows, columns];
        for (int row = 0; row < rows; row++)
        {
            for (int column = 0; column < columns; column++)
            {
                float before = Rounded(random);
                BitConverter.TryWriteBytes(result.AsSpan((row * plan.ResultBytes) + (sizeof(float) * column)), before);
                expected[row, column] = plan.Accumulates ? (double)before * factors[column] : 0;
                for (int d = 0; d < depth; d++)
                {
                    for (int term = 0; term < leftTerms * rightTerms; term++)
                    {
                        (int leftTerm, int rightTerm) = (term % leftTerms, term / leftTerms);
                        expected[row, column] += leftTerm + rightTerm < Math.Max(plan.Left.Terms, plan.Right.Terms) ? lefts[leftTerm, row, d] * rights[rightTerm, column, d] : 0;
                    }
                }
            }
        }

        ulong[] arguments = new ulong[TilePrefillArguments.Count];
        arguments[0] = processor.Add("left", left, isReadOnly: true);
        arguments[1] = processor.Add("right", right, isReadOnly: true);
        arguments[2] = processor.Add("result", result, isReadOnly: false);
        (arguments[3], arguments[4], arguments[5], arguments[6], arguments[7]) = ((ulong)rows, (ulong)columns, (ulong)depth, (ulong)leftTerms, (ulong)rightTerms);
        if (plan.Accumulates)
        {
            arguments[8] = processor.Add("factors", MemoryMarshal.AsBytes(factors.AsSpan()).ToArray(), isReadOnly: true);
            arguments[9] = processor.Add("scratch", new byte[TileProductPlan.SumBytes], isReadOnly: false);
        }

        ulong address = processor.Add("arguments", MemoryMarshal.AsBytes(arguments.AsSpan()).ToArray(), isReadOnly: false);
        processor.Call(windows ? routine.WindowsEntry : 0, address, windows);
        for (int row = 0; row < rows; row++)
        {
            for (int column = 0; column < columns; column++)
            {
                float found = BitConverter.ToSingle(result, (row * plan.ResultBytes) + (sizeof(float) * column));
                Assert.True(Math.Abs(expected[row, column] - found) <= 6e-6 * depth, $"[{row}, {column}] is {found}, not {expected[row, column]}.");
            }
        }

        double Write(byte[] bytes, int place)
        {
            float number = Rounded(random);
            BitConverter.TryWriteBytes(bytes.AsSpan(place), (ushort)(BitConverter.SingleToUInt32Bits(number) >> 16));
            return number;
        }
    }

    private static Routine Assembled(string name) => _codes.TryGetValue(name, out CodeProductPlan? codes) ? CodeProducts.Assemble(codes) : TileProducts.Assemble(_products[name]);

    /// <summary>A number that bfloat16 holds exactly.</summary>
    private static float Rounded(Random random) => BitConverter.UInt32BitsToSingle(BitConverter.SingleToUInt32Bits((float)((2 * random.NextDouble()) - 1)) & 0xFFFF0000);
}
