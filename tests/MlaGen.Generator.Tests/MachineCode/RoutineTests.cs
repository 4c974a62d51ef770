using System.Runtime.InteropServices;
using Iced.Intel;
using MlaGen.Generator.Emission.MachineCode;
using MlaGen.Generator.Model;
using MlaGen.Generator.Planning;
using MlaGen.Tests.MachineCode.Interpreter;

namespace MlaGen.Generator.Tests.MachineCode;

/// <summary>Routines of every kind of plan: decoded again, and executed by a processor of the tests' own in memory of exactly the plan's sizes.</summary>
public sealed class RoutineTests
{
    /// <summary>What routines may consist of beside general instructions, by target.</summary>
    private static readonly Dictionary<string, CpuidFeature[]> _features = new()
    {
        ["Avx512Bf16"] = [CpuidFeature.AVX, CpuidFeature.AVX512F, CpuidFeature.AVX512BW, CpuidFeature.AVX512_BF16, CpuidFeature.AVX512_VNNI],
        ["Avx512"] = [CpuidFeature.AVX, CpuidFeature.AVX512F, CpuidFeature.AVX512BW],
        ["Amx"] = [CpuidFeature.AVX, CpuidFeature.AVX512F, CpuidFeature.AVX512BW, CpuidFeature.AMX_TILE, CpuidFeature.AMX_BF16, CpuidFeature.AMX_INT8],
    };

    private static readonly CpuidFeature[] _general = [CpuidFeature.INTEL8086, CpuidFeature.INTEL386, CpuidFeature.X64, CpuidFeature.CMOV, CpuidFeature.SSE];

    /// <summary>One panel, its part, two, three, and many; depths and latents of one tile and of many.</summary>
    private static readonly KernelShape[] _shapes =
        [new(8, 64, 16, 16, 16, true), new(16, 128, 32, 16, 16, true), new(16, 96, 32, 16, 16, true), new(20, 64, 32, 16, 16, true), new(20, 96, 8, 16, 16, true), new(40, 64, 32, 16, 16, true), new(72, 32, 0, 16, 16, true), new(128, 512, 64, 128, 128, true)];

    private static readonly Dictionary<string, MatrixPlan> _plans = _shapes
        .SelectMany(shape => KernelPlanner.Plan(shape).Matrix.Select(plan => (Name: $"{plan.Name} {shape.Heads} heads of {shape.KvLoraRank}+{shape.QkRopeHeadDim}", Plan: plan)))
        .ToDictionary(pair => pair.Name, pair => pair.Plan);

    public static TheoryData<string> Plans => [.. _plans.Keys];

    [Fact]
    public void Both_targets_and_all_precisions_are_among_the_plans()
        => Assert.Equal(["AmxHigh", "AmxMedium", "Avx512Bf16"], _plans.Values.Select(plan => plan.Name).Distinct().Order());

    [Theory]
    [MemberData(nameof(Plans))]
    public void Decoded_again_it_is_instructions_of_the_target_alone(string name)
    {
        MatrixPlan plan = _plans[name];
        Assert.All(Routines(plan), routine => AssertInstructions(routine, plan.Target));
    }

    /// <summary>That a routine consists of instructions of a target alone, finds its memory from registers, and calls nothing but its own body.</summary>
    internal static void AssertInstructions(Routine routine, string target)
    {
        byte[] code = [.. routine.Lines.TakeWhile(line => !line.IsData).SelectMany(line => line.Bytes)];
        var decoder = Decoder.Create(64, new ByteArrayCodeReader(code), ip: 0);
        Instruction last = default;
        List<Instruction> all = [];
        while (decoder.IP < (ulong)code.Length)
        {
            decoder.Decode(out Instruction instruction);
            Assert.False(instruction.IsInvalid);
            all.Add(instruction);
            last = instruction;
        }

        Assert.Equal(Mnemonic.Ret, last.Mnemonic);
        Assert.All(all, instruction =>
        {
            Assert.All(instruction.Code.CpuidFeatures(), feature => Assert.Contains(feature, _features[target].Concat(_general)));

            // No address is absolute: memory is found from a register, or from the code that stands before it.
            if (Enumerable.Range(0, instruction.OpCount).Any(operand => instruction.GetOpKind(operand) == OpKind.Memory))
            {
                Assert.True(instruction.MemoryBase != Register.None || instruction.IsIPRelativeMemoryOperand, instruction.ToString());
            }

            Assert.DoesNotContain(instruction.Mnemonic, (Mnemonic[])[Mnemonic.Syscall, Mnemonic.Int, Mnemonic.Jmp, Mnemonic.Push, Mnemonic.Pop]);
        });

        // Only Windows' entry calls, and what it calls is the body.
        Instruction call = Assert.Single(all, instruction => instruction.Mnemonic == Mnemonic.Call);
        Assert.Equal(3u, call.NearBranchTarget);
    }

    [Theory]
    [MemberData(nameof(Plans))]
    public void The_same_plan_gives_the_same_bytes(string name)
    {
        MatrixPlan plan = _plans[name];
        Assert.Equal(Routines(plan).Select(routine => Convert.ToHexString(routine.Bytes)), Routines(plan with { }).Select(routine => Convert.ToHexString(routine.Bytes)));
    }

    [Theory]
    [MemberData(nameof(Plans))]
    public void Executed_it_multiplies_and_touches_nothing_else(string name)
    {
        MatrixPlan plan = _plans[name];

        // One tile, as behind a whole block, and two where a block has as many; the long depths once.
        int tokens = plan.Depth > 200 ? plan.TokenTile : Math.Min(2 * plan.TokenTile, plan.BlockTokens);
        foreach (bool windows in (bool[])[false, true])
        {
            foreach (int sharing in (int[])[0, MatrixArguments.First, MatrixArguments.Again])
            {
                CheckScores(plan, tokens, sharing, windows);
                CheckValues(plan, tokens, sharing, windows);
            }
        }
    }

    private static void CheckScores(MatrixPlan plan, int tokens, int sharing, bool windows)
    {
        var random = new Random(tokens);
        float[] rows = Rounded(random, tokens * plan.Depth);
        float[] queries = Rounded(random, plan.Terms * plan.Columns * plan.Depth);
        Routine routine = plan.HasTiles ? TileRoutines.Scores(plan) : PairRoutines.Scores(plan);
        var processor = new Processor(routine.Bytes);

        // Of the last panel only what one term takes may be read, and of the last token only its columns are written.
        byte[] packed = new byte[((plan.Panels - 1) * plan.PanelBytes) + (plan.Depth / 2 * plan.Terms * MatrixPlan.VectorBytes)];
        for (int column = 0; column < plan.Columns; column++)
        {
            for (int term = 0; term < plan.Terms; term++)
            {
                for (int d = 0; d < plan.Depth; d++)
                {
                    int place = (column / 16 * plan.PanelBytes) + (((d / 2 * plan.Terms) + term) * MatrixPlan.VectorBytes) + (column % 16 * 4) + (d % 2 * 2);
                    Write(packed, place, queries[(((column * plan.Terms) + term) * plan.Depth) + d]);
                }
            }
        }

        byte[] scores = new byte[((tokens - 1) * plan.ScoreBytes) + (plan.Columns * sizeof(float))];
        ulong[] arguments = new ulong[MatrixArguments.Count];
        arguments[0] = processor.Add("rows", Bytes(rows), isReadOnly: true);
        arguments[1] = (ulong)tokens;
        arguments[2] = processor.Add("queries", packed, isReadOnly: true);
        arguments[3] = processor.Add("scores", scores, isReadOnly: false);
        bool laysBeside = plan.HasTiles && sharing != MatrixArguments.Again;
        byte[] scratch = new byte[laysBeside ? plan.PairedBytes : 0];
        arguments[6] = processor.Add("scratch", scratch, isReadOnly: false);
        arguments[8] = (ulong)sharing;
        Call(processor, routine, arguments, windows);
        if (laysBeside)
        {
            Assert.Equal(Paired(plan, rows, tokens), scratch);
        }

        for (int token = 0; token < tokens; token++)
        {
            for (int column = 0; column < plan.Columns; column++)
            {
                double expected = 0;
                for (int term = 0; term < plan.Terms; term++)
                {
                    for (int d = 0; d < plan.Depth; d++)
                    {
                        expected += (double)rows[(token * plan.Depth) + d] * queries[(((column * plan.Terms) + term) * plan.Depth) + d];
                    }
                }

                Near(expected, BitConverter.ToSingle(scores, (token * plan.ScoreBytes) + (column * sizeof(float))), plan.Depth);
            }
        }
    }

    private static void CheckValues(MatrixPlan plan, int tokens, int sharing, bool windows)
    {
        var random = new Random(tokens + 1);
        float[] rows = Rounded(random, tokens * plan.Depth);
        float[] weights = Rounded(random, plan.Terms * plan.Columns * tokens);
        float[] sums = Rounded(random, plan.Heads * plan.ValueDim);
        float[] rescale = Rounded(random, plan.Heads);
        Routine routine = plan.HasTiles ? TileRoutines.Values(plan) : PairRoutines.Values(plan);
        var processor = new Processor(routine.Bytes);
        byte[] packed = new byte[plan.HasTiles ? plan.Panels * plan.PanelWeights * sizeof(int) : (((tokens / 2) - 1) * 2 * plan.ScoreBytes) + (plan.Heads * sizeof(float))];
        for (int column = 0; column < (plan.HasTiles ? plan.Columns : plan.Heads); column++)
        {
            for (int term = 0; term < plan.Terms; term++)
            {
                for (int token = 0; token < tokens; token++)
                {
                    int place = plan.HasTiles
                        ? (column / 16 * plan.PanelWeights * 4) + (((token / 32 * plan.Terms) + term) * 1024) + (column % 16 * 64) + (token % 32 * 2)
                        : (token / 2 * 2 * plan.ScoreBytes) + (column * 4) + (token % 2 * 2);
                    Write(packed, place, weights[(((column * plan.Terms) + term) * tokens) + token]);
                }
            }
        }

        byte[] result = MemoryMarshal.AsBytes(sums.AsSpan()).ToArray();
        ulong[] arguments = new ulong[MatrixArguments.Count];
        bool laysBeside = !plan.HasTiles && sharing != MatrixArguments.Again;
        arguments[0] = laysBeside ? processor.Add("rows", Bytes(rows), isReadOnly: true) : 0;
        arguments[1] = (ulong)tokens;
        arguments[3] = processor.Add("weights", packed, isReadOnly: true);
        arguments[4] = processor.Add("sums", result, isReadOnly: false);
        arguments[5] = processor.Add("rescale", MemoryMarshal.AsBytes(rescale.AsSpan()).ToArray(), isReadOnly: true);
        byte[] paired = Paired(plan, rows, tokens);
        byte[] scratch = laysBeside ? new byte[sharing == 0 ? plan.PairedPanelBytes : plan.PairedBytes] : [.. paired, .. new byte[plan.SumBytes]];
        arguments[6] = processor.Add("scratch", scratch, isReadOnly: !laysBeside && plan.SumBytes == 0);
        arguments[8] = (ulong)sharing;
        Call(processor, routine, arguments, windows);
        if (sharing == MatrixArguments.First)
        {
            Assert.Equal(paired, scratch[..plan.PairedBytes]);
        }

        for (int head = 0; head < plan.Heads; head++)
        {
            for (int i = 0; i < plan.ValueDim; i++)
            {
                double expected = (double)sums[(head * plan.ValueDim) + i] * rescale[head];
                for (int term = 0; term < plan.Terms; term++)
                {
                    for (int token = 0; token < tokens; token++)
                    {
                        expected += (double)weights[(((head * plan.Terms) + term) * tokens) + token] * rows[(token * plan.Depth) + i];
                    }
                }

                Near(expected, BitConverter.ToSingle(result, ((head * plan.ValueDim) + i) * sizeof(float)), tokens);
            }
        }
    }

    /// <summary>Latents of two tokens beside each other, a cache line of dimensions after the other: what the scores of tiles leave to the values.</summary>
    private static byte[] Paired(MatrixPlan plan, float[] rows, int tokens)
    {
        byte[] paired = new byte[plan.PairedBytes];
        for (int token = 0; token < tokens; token++)
        {
            for (int i = 0; i < plan.ValueDim; i++)
            {
                int place = (i / MatrixPlan.PairDimensions * plan.PairedPanelBytes) + (token / 2 * MatrixPlan.PairBytes) + (i % MatrixPlan.PairDimensions * 4) + (token % 2 * 2);
                Write(paired, place, rows[(token * plan.Depth) + i]);
            }
        }

        return paired;
    }

    private static void Call(Processor processor, Routine routine, ulong[] arguments, bool windows)
    {
        ulong address = processor.Add("arguments", MemoryMarshal.AsBytes(arguments.AsSpan()).ToArray(), isReadOnly: false);
        processor.Call(windows ? routine.WindowsEntry : 0, address, windows);
    }

    private static void Near(double expected, float found, int products) => Assert.True(Math.Abs(expected - found) < 1e-6 * products, $"{found} is not {expected}.");

    private static Routine[] Routines(MatrixPlan plan)
        => plan.HasTiles ? [TileRoutines.Scores(plan), TileRoutines.Values(plan)] : [PairRoutines.Scores(plan), PairRoutines.Values(plan)];

    /// <summary>Numbers that bfloat16 holds exactly.</summary>
    private static float[] Rounded(Random random, int count)
        => [.. Enumerable.Range(0, count).Select(_ => BitConverter.UInt32BitsToSingle(BitConverter.SingleToUInt32Bits((float)((2 * random.NextDouble()) - 1)) & 0xFFFF0000))];

    private static byte[] Bytes(float[] values)
    {
        byte[] bytes = new byte[2 * values.Length];
        for (int i = 0; i < values.Length; i++)
        {
            Write(bytes, 2 * i, values[i]);
        }

        return bytes;
    }

    private static void Write(byte[] bytes, int place, float value) => BitConverter.TryWriteBytes(bytes.AsSpan(place), (ushort)(BitConverter.SingleToUInt32Bits(value) >> 16));
}
