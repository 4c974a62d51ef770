using System.Runtime.InteropServices;
using Iced.Intel;
using MlaGen.Generator.Emission.MachineCode;
using MlaGen.Generator.Tests.Infrastructure;
using MlaGen.Tests.MachineCode.Interpreter;

namespace MlaGen.Generator.Tests.MachineCode;

/// <summary>The routines of products, which the runtime has in files of their own, one a core: they are what is assembled here, and do what they say.</summary>
public sealed class ProductRoutineTests
{
    private static readonly Dictionary<string, Routine> _routines = ProductRoutines.All.ToDictionary(static routine => routine.Name, static routine => routine.Routine);

    [Fact]
    public void The_runtimes_files_are_what_is_assembled()
    {
        foreach ((string core, string text) in ProductRoutines.All.GroupBy(static routine => CoreOf(routine.Name)).Select(static core => (core.Key, Text([.. core]))))
        {
            string file = Path.GetFullPath(Path.Combine(TestProject.Directory, $"../../src/MlaGen/MachineCode/ProductRoutines.{core}.g.cs"));
            if (Environment.GetEnvironmentVariable(Snapshot.AcceptVariable) == "1")
            {
                File.WriteAllText(file, text);
            }

            Assert.Equal(text, File.ReadAllText(file));
        }
    }

    public static TheoryData<string> Names => [.. _routines.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void Decoded_again_it_is_instructions_of_the_target_alone(string name)
        => RoutineTests.AssertInstructions(_routines[name], name.StartsWith("Pair", StringComparison.Ordinal) ? "Avx512Bf16" : name.StartsWith("TileRows", StringComparison.Ordinal) ? "Amx" : "Avx512");

    [Theory]
    [InlineData("PairRows12", 12)]
    [InlineData("PairRows4", 4)]
    public void Pairs_of_rows_are_multiplied_in_the_order_and_with_the_rounding_of_the_target_and_nothing_else_is_touched(string name, int tileRows)
    {
        // Denormals among them: they are taken as zeros.
        const int Tiles = 2;
        const int Depth = 10;
        int rows = Tiles * tileRows;
        var data = new Data(rows, outputs: 32, Depth, terms: 1);
        foreach (bool windows in (bool[])[false, true])
        {
            float[] sums = [.. data.Sums];
            var processor = new Processor(_routines[name].Bytes);
            byte[] inputs = new byte[((rows - 1) * ProductRoutines.RowBytes) + (2 * Depth)];
            for (int row = 0; row < rows; row++)
            {
                data.Inputs(row, term: 0).CopyTo(MemoryMarshal.Cast<byte, ushort>(inputs.AsSpan(row * ProductRoutines.RowBytes, 2 * Depth)));
            }

            byte[] pairs = new byte[Depth * 64];
            for (int k = 0; k < Depth; k++)
            {
                for (int output = 0; output < 32; output++)
                {
                    BitConverter.TryWriteBytes(pairs.AsSpan((k / 2 * 128) + (output * 4) + (k % 2 * 2)), data.Weight(output, k));
                }
            }

            byte[] result = new byte[((rows - 1) * ProductRoutines.SumBytes) + 128];
            for (int row = 0; row < rows; row++)
            {
                MemoryMarshal.AsBytes(sums.AsSpan(row * 32, 32)).CopyTo(result.AsSpan(row * ProductRoutines.SumBytes));
            }

            Call(processor, _routines[name], windows, [
                processor.Add("rows", inputs, isReadOnly: true), Tiles, processor.Add("pairs", pairs, isReadOnly: true), 64,
                Depth / 2, processor.Add("sums", result, isReadOnly: false)]);
            for (int row = 0; row < rows; row++)
            {
                float[] expected = [.. Enumerable.Range(0, 32).Select(output => data.Sum(row, output, sums[(row * 32) + output], hasTiles: false))];
                Assert.Equal(expected, MemoryMarshal.Cast<byte, float>(result.AsSpan(row * ProductRoutines.SumBytes, 128)).ToArray());
            }
        }
    }

    public static TheoryData<string, int, int, int, bool> TileCases
    {
        get
        {
            var cases = new TheoryData<string, int, int, int, bool>();
            foreach ((string name, int tileRows, int terms) in ((string, int, int)[])[("TileRows32Medium", 32, 1), ("TileRows16Medium", 16, 1), ("TileRows32High", 32, 2), ("TileRows16High", 16, 2)])
            {
                foreach (int tiles in (int[])[1, 3])
                {
                    foreach (int depth in (int[])[32, 96])
                    {
                        cases.Add(name, tileRows * tiles, terms, depth, false);
                        cases.Add(name, tileRows * tiles, terms, depth, true);
                    }
                }
            }

            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(TileCases))]
    public void Tiles_of_rows_are_multiplied_in_the_order_and_with_the_rounding_of_the_target_and_nothing_else_is_touched(string name, int rows, int terms, int depth, bool windows)
    {
        const int TileElements = 16 * 32;
        int tileRows = name.StartsWith("TileRows32", StringComparison.Ordinal) ? 32 : 16;
        int steps = depth / 32;
        var data = new Data(rows, outputs: 32, depth, terms);
        byte[] inputs = new byte[2 * rows * terms * depth];
        for (int row = 0; row < rows; row++)
        {
            for (int term = 0; term < terms; term++)
            {
                for (int step = 0; step < steps; step++)
                {
                    int tile = (((row / tileRows * steps) + step) * (tileRows / 16)) + (row % tileRows / 16);
                    data.Inputs(row, term).Slice(32 * step, 32).CopyTo(MemoryMarshal.Cast<byte, ushort>(inputs.AsSpan())[((((tile * terms) + term) * TileElements) + (row % 16 * 32))..]);
                }
            }
        }

        // Panels are further apart than they are long.
        int panelBytes = (32 * depth) + 64;
        byte[] weights = new byte[panelBytes + (32 * depth)];
        byte[] pairs = new byte[depth * 64];
        for (int k = 0; k < depth; k++)
        {
            for (int output = 0; output < 32; output++)
            {
                BitConverter.TryWriteBytes(weights.AsSpan((output / 16 * panelBytes) + (k * 32) + (output % 16 * 2)), data.Weight(output, k));
                BitConverter.TryWriteBytes(pairs.AsSpan((k / 32 * 2048) + (output / 16 * 1024) + (k % 32 / 2 * 64) + (output % 16 * 4) + (k % 2 * 2)), data.Weight(output, k));
            }
        }

        foreach (bool isFirst in (bool[])[false, true])
        {
            foreach (bool lays in (bool[])[false, true])
            {
                foreach (bool inPlace in (bool[])[false, true])
                {
                    // Sums that are none yet are anything, and not read; of weights that are pairs already, nothing is.
                    float[] before = isFirst ? [.. Enumerable.Repeat(float.NaN, rows * 32)] : [.. data.Sums];
                    byte[] sums = MemoryMarshal.AsBytes(before.AsSpan()).ToArray();
                    int resultBytes = inPlace ? 128 : 128 + 68;
                    byte[] result = inPlace ? sums : new byte[((rows - 1) * resultBytes) + 128];
                    byte[] laid = lays ? new byte[pairs.Length] : [.. pairs];
                    var processor = new Processor(_routines[name].Bytes);
                    ulong sumsAddress = processor.Add("sums", sums, isReadOnly: !inPlace);
                    ulong resultAddress = inPlace ? sumsAddress : processor.Add("result", result, isReadOnly: false);
                    Call(processor, _routines[name], windows, [
                        processor.Add("rows", inputs, isReadOnly: true), (ulong)(rows / tileRows), lays ? processor.Add("weights", weights, isReadOnly: true) : 0, (ulong)panelBytes,
                        (ulong)steps, sumsAddress, 0, processor.Add("pairs", laid, isReadOnly: !lays), isFirst ? 1ul : 0, resultAddress, (ulong)resultBytes]);
                    Assert.Equal(pairs, laid);
                    for (int row = 0; row < rows; row++)
                    {
                        float[] expected = [.. Enumerable.Range(0, 32).Select(output => data.Sum(row, output, isFirst ? 0 : data.Sums[(row * 32) + output], hasTiles: true))];
                        Assert.Equal(expected, MemoryMarshal.Cast<byte, float>(result.AsSpan(row * resultBytes, 128)).ToArray());
                        Assert.All(result.AsSpan((row * resultBytes) + 128, row + 1 < rows ? resultBytes - 128 : 0).ToArray(), static value => Assert.Equal(0, value));
                    }
                }
            }
        }
    }

    [Theory]
    [InlineData("PairRow8", 8, 1, false)]
    [InlineData("PairRow1", 1, 1, false)]
    [InlineData("TileRow8Medium", 8, 1, true)]
    [InlineData("TileRow1Medium", 1, 1, true)]
    [InlineData("TileRow8High", 8, 2, true)]
    [InlineData("TileRow1High", 1, 2, true)]
    public void One_row_gets_the_bits_that_it_has_among_many(string name, int panels, int terms, bool hasTiles)
    {
        int depth = hasTiles ? 96 : 10;
        int outputs = 16 * panels;
        var data = new Data(1, outputs, depth, terms);
        foreach (bool windows in (bool[])[false, true])
        {
            var processor = new Processor(_routines[name].Bytes);
            byte[] inputs = new byte[((terms - 1) * ProductRoutines.RowBytes) + (2 * depth)];
            for (int term = 0; term < terms; term++)
            {
                data.Inputs(0, term).CopyTo(MemoryMarshal.Cast<byte, ushort>(inputs.AsSpan(term * ProductRoutines.RowBytes, 2 * depth)));
            }

            // Panels are further apart than they are long.
            int panelBytes = (32 * depth) + 64;
            byte[] weights = new byte[((panels - 1) * panelBytes) + (32 * depth)];
            for (int k = 0; k < depth; k++)
            {
                for (int output = 0; output < outputs; output++)
                {
                    BitConverter.TryWriteBytes(weights.AsSpan((output / 16 * panelBytes) + (k * 32) + (output % 16 * 2)), data.Weight(output, k));
                }
            }

            byte[] result = MemoryMarshal.AsBytes(data.Sums.AsSpan()).ToArray();
            Call(processor, _routines[name], windows, [
                processor.Add("rows", inputs, isReadOnly: true), 0, processor.Add("weights", weights, isReadOnly: true), (ulong)panelBytes,
                (ulong)(depth / (hasTiles ? 32 : 2)), processor.Add("sums", result, isReadOnly: false)]);
            Assert.Equal(Enumerable.Range(0, outputs).Select(output => data.Sum(0, output, data.Sums[output], hasTiles)), MemoryMarshal.Cast<byte, float>(result).ToArray());
        }
    }

    private static void Call(Processor processor, Routine routine, bool windows, ulong[] arguments)
    {
        Array.Resize(ref arguments, ProductArguments.Count);
        ulong address = processor.Add("arguments", MemoryMarshal.AsBytes(arguments.AsSpan()).ToArray(), isReadOnly: false);
        processor.Call(windows ? routine.WindowsEntry : 0, address, windows);
    }

    /// <summary>Inputs, weights and earlier sums, among them some whose products with others are denormal, and what targets make of them.</summary>
    private sealed class Data
    {
        private readonly int _depth;
        private readonly int _terms;
        private readonly ushort[] _inputs;
        private readonly ushort[] _weights;

        public Data(int rows, int outputs, int depth, int terms)
        {
            (_depth, _terms) = (depth, terms);
            var random = new Random(rows + outputs);
            _inputs = [.. Enumerable.Range(0, rows * terms * depth).Select(_ => PairArithmetic.Round(Value(random)))];
            _weights = [.. Enumerable.Range(0, outputs * depth).Select(_ => PairArithmetic.Round(Value(random)))];
            Sums = [.. Enumerable.Range(0, rows * outputs).Select(_ => Value(random))];
        }

        public float[] Sums { get; }

        public ReadOnlySpan<ushort> Inputs(int row, int term) => _inputs.AsSpan(((row * _terms) + term) * _depth, _depth);

        public ushort Weight(int output, int k) => _weights[(output * _depth) + k];

        public float Sum(int row, int output, float sum, bool hasTiles)
        {
            int step = hasTiles ? 32 : 2;
            for (int first = 0; first < _depth; first += step)
            {
                for (int term = 0; term < _terms; term++)
                {
                    ReadOnlySpan<ushort> inputs = Inputs(row, term);
                    if (!hasTiles)
                    {
                        sum = PairArithmetic.MultiplyAdd(sum, inputs[first + 1], Weight(output, first + 1));
                        sum = PairArithmetic.MultiplyAdd(sum, inputs[first], Weight(output, first));
                        continue;
                    }

                    (float even, float odd) = (0, 0);
                    for (int k = first; k < first + step; k += 2)
                    {
                        even = PairArithmetic.MultiplyAdd(even, inputs[k], Weight(output, k));
                        odd = PairArithmetic.MultiplyAdd(odd, inputs[k + 1], Weight(output, k + 1));
                    }

                    sum = PairArithmetic.Add(sum, PairArithmetic.Add(even, odd));
                }
            }

            return sum;
        }

        private static float Value(Random random) => (float)((2 * random.NextDouble()) - 1) * (random.Next(16) == 0 ? 1e-20f : random.Next(16) == 0 ? 1e-39f : 1);
    }

    private static string CoreOf(string routine) =>
        routine.StartsWith("Pair", StringComparison.Ordinal) ? "Pairs" : routine.EndsWith("High", StringComparison.Ordinal) ? "TilesHigh" : "TilesMedium";

    private static string Text((string Name, string Summary, Routine Routine)[] routines)
    {
        var writer = new Emission.CodeWriter();
        writer.Lines("""
            // <auto-generated>
            // Assembled by MlaGen.Generator.Emission.MachineCode.ProductRoutines; ProductRoutineTests compares, and writes this file anew with MLAGEN_ACCEPT_SNAPSHOTS=1.
            // </auto-generated>
            #nullable enable

            namespace MlaGen.Runtime;

            """);
        writer.Summary("Machine code of products of rows with weights, an instruction a line. Each takes the address of a ProductArguments.");
        using (writer.Braces("internal static partial class ProductRoutines"))
        {
            bool first = true;
            foreach ((string name, string summary, Routine routine) in routines)
            {
                if (!first)
                {
                    writer.Line();
                }

                first = false;
                writer.Summary(summary);
                RoutineText.Write(writer, $"public static MachineRoutine {name}", routine);
            }
        }

        return writer.ToString();
    }
}
