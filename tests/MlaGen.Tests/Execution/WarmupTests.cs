using System.Globalization;
using System.Runtime.CompilerServices;
using MlaGen.Tests.Attention;
using MlaGen.Tests.MachineCode;
using MlaGen.Tests.Oracles;
using MlaGen.Tests.Processes;
using MlaGen.Tests.Sparse;

namespace MlaGen.Tests.Execution;

/// <summary><c>Warmup</c>: what it leaves to compile, and that nothing else comes of it.</summary>
public sealed class WarmupTests
{
    private const string Child = "MLAGEN_WARMUP_CHILD";
    private const string PromptChild = "MLAGEN_WARMUP_PROMPT_CHILD";
    private const string SelectingChild = "MLAGEN_WARMUP_SELECTING_CHILD";

    public static TheoryData<string> Layers => [.. TestLayer.Names];

    [Theory]
    [MemberData(nameof(Layers))]
    public void Results_are_the_same_bits_before_and_after(string name)
    {
        TestLayer layer = TestLayer.Get(name);
        Prompt prompt = Prompt.Random(name, 30, layer.Spec.HiddenSize);
        float[] before = Feed();

        layer.Warmup();

        Compare.AssertSameBits("output", Feed(), before);

        float[] Feed()
        {
            using AttentionRun run = layer.Open(new RunOptions { Form = MlaForm.Auto });
            return run.Feed(run.CreateSequence(), prompt, chunk: 11);
        }
    }

    [Theory]
    [InlineData("yarn")]
    [InlineData("gate and sinks")]
    [InlineData("head gate")]
    [InlineData("query gate")]
    public async Task Nothing_of_the_library_is_left_to_compile(string name)
        => Assert.Equal(1, await TestProcess.Run($"FullyQualifiedName~{nameof(After_a_warm_up_steps_compile_nothing)}", (Child, name)));

    /// <summary>Run by the test above in a process of its own, in which nothing is compiled yet.</summary>
    [ChildFact(Child)]
    public void After_a_warm_up_steps_compile_nothing()
    {
        using var compiled = new CompiledMethods();
        TestLayer layer = TestLayer.Get(Environment.GetEnvironmentVariable(Child)!);
        Prompt prompt = Prompt.Random("warm-up", 300, layer.Spec.HiddenSize);
        AttentionRun[] runs = [.. Enum.GetValues<CacheFormat>().Select(format => layer.Open(new RunOptions { Threads = 2, Format = format }))];
        LatentSequence[] sequences = [.. runs.Select(static run => run.CreateSequence())];
        float[] output = new float[prompt.Hidden.Length];
        float[] queries = new float[layer.Spec.Heads * layer.Spec.RowWidth];
        float[] latent = new float[layer.Spec.Heads * layer.Spec.KvLoraRank];
        float[] logSumExp = new float[layer.Spec.Heads];
        layer.Warmup();

        Now_the_steps();
        for (int i = 0; i < runs.Length; i++)
        {
            foreach ((MlaForm form, int tokens) in ((MlaForm, int)[])[(MlaForm.Decompressed, 300), (MlaForm.Absorbed, 1), (MlaForm.Absorbed, 40), (MlaForm.Auto, 1)])
            {
                runs[i].Batch.Form = form;
                runs[i].Batch.Add(sequences[i], tokens);
                runs[i].Forward(prompt.Hidden.AsSpan(0, tokens * prompt.Width), output.AsSpan(0, tokens * prompt.Width));
                runs[i].Batch.Commit();
            }

            runs[i].Batch.AddQueries(sequences[i], 1);
            runs[i].AttendLatent(queries, latent, logSumExp);
        }

        Those_were_the_steps();

        AssertNothingLate(compiled);
        Array.ForEach(runs, static run => run.Dispose());
    }

    [Avx512Bf16Theory]
    [InlineData("1")]
    [InlineData("2")]
    public async Task Nothing_of_what_packs_for_routines_is_left_to_compile(string threads)
        => Assert.Equal(1, await TestProcess.Run($"FullyQualifiedName~{nameof(After_a_warm_up_a_prompt_packs_for_routines_at_once)}", (PromptChild, threads)));

    /// <summary>Run by the test above in a process of its own, in which nothing is compiled yet.</summary>
    [ChildFact(PromptChild)]
    public void After_a_warm_up_a_prompt_packs_for_routines_at_once()
    {
        using var compiled = new CompiledMethods();
        TestLayer layer = TestLayer.Make<MediumPrefillAttention>(nameof(MediumPrefillAttention), static spec => spec).Value;
        Prompt prompt = Prompt.Random("warm-up", 300, layer.Spec.HiddenSize);
        float[] output = new float[prompt.Hidden.Length];
        using AttentionRun run = layer.Open(new RunOptions { Form = MlaForm.Decompressed, Threads = int.Parse(Environment.GetEnvironmentVariable(PromptChild)!, CultureInfo.InvariantCulture) });
        LatentSequence sequence = run.CreateSequence();
        layer.Warmup();

        Now_the_steps();
        run.Batch.Add(sequence, 300);
        run.Forward(prompt.Hidden, output);
        run.Batch.Commit();
        Those_were_the_steps();

        string[] types = ["KeyTiles.", "ScoreOperands.", "PanelPacking.", "TermTiles.", "TurnedSums.", "Int16Quantization.", "PlaneQuantization.", "PairSoftmax.", "DecompressedMachineCore.", "DecompressedMatrixCore.", "DecompressedTileCore."];
        AssertNothingLate(compiled, name => Array.Exists(types, type => name.Contains(type, StringComparison.Ordinal)));
        Assert.Contains(compiled.Names, name => name.Contains("KeyTiles.Decompress", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(nameof(OddSparseAttention))]
    [InlineData(nameof(OddPoolAttention))]
    public async Task Nothing_of_the_library_is_left_to_compile_for_steps_that_select(string name)
        => Assert.Equal(1, await TestProcess.Run($"FullyQualifiedName~{nameof(After_a_warm_up_steps_that_select_compile_nothing)}", (SelectingChild, name)));

    /// <summary>Run by the test above in a process of its own, in which nothing is compiled yet.</summary>
    [ChildFact(SelectingChild)]
    public void After_a_warm_up_steps_that_select_compile_nothing()
    {
        if (Environment.GetEnvironmentVariable(SelectingChild) == nameof(OddPoolAttention))
        {
            Select([PoolTests.Layer]);
        }
        else
        {
            Select(SparseTestLayers.Layers());
        }
    }

    private static void Select<T>(T[] layers)
        where T : class, IMlaAttention<T>
    {
        using var compiled = new CompiledMethods();
        Prompt prompt = Prompt.Random("warm-up", 300, T.Shape.HiddenSize);
        SparseRun<T>[] runs = [.. Enum.GetValues<CacheFormat>().Select(format => new SparseRun<T>(layers, format: format))];
        LatentSequence[] sequences = [.. runs.Select(static run => run.CreateSequence())];
        float[] output = new float[prompt.Hidden.Length];
        T.Warmup();

        Now_the_steps();
        for (int i = 0; i < runs.Length; i++)
        {
            foreach ((MlaForm form, int tokens) in ((MlaForm, int)[])[(MlaForm.Decompressed, 300), (MlaForm.Absorbed, 1), (MlaForm.Absorbed, 40), (MlaForm.Auto, 1), (MlaForm.Auto, 200)])
            {
                runs[i].Batch.Form = form;
                runs[i].Batch.Add(sequences[i], tokens);
                foreach (T layer in layers)
                {
                    layer.Forward(runs[i].Batch, prompt.Hidden.AsSpan(0, tokens * prompt.Width), output.AsSpan(0, tokens * prompt.Width));
                }

                runs[i].Batch.Commit();
            }
        }

        Those_were_the_steps();
        AssertNothingLate(compiled);
        Array.ForEach(runs, static run => run.Dispose());
    }

    private static void AssertNothingLate(CompiledMethods compiled, Func<string, bool>? isMeant = null)
    {
        List<string> names = [];
        Assert.True(SpinWait.SpinUntil(() => Of(nameof(Those_were_the_steps)) >= 0, TimeSpan.FromSeconds(60)));
        int marker = Of(nameof(Now_the_steps));
        List<string> before = [.. names[..marker].Where(IsOfTheLibrary)];

        // What was compiled before may be compiled again, better: the JIT goes on watching.
        IEnumerable<string> late = names[marker..].Where(IsOfTheLibrary).Where(isMeant ?? (static _ => true)).Except(before);

        Assert.True(before.Count > 100);
        Assert.Contains(before, name => name.StartsWith("MlaGen.Emitted.", StringComparison.Ordinal));
        Assert.Empty(late);

        int Of(string name)
        {
            names = [.. compiled.Names];
            return names.FindIndex(method => method.EndsWith(name, StringComparison.Ordinal));
        }
    }

    private static bool IsOfTheLibrary(string method)
        => method.StartsWith("MlaGen.", StringComparison.Ordinal) && !method.StartsWith("MlaGen.Tests.", StringComparison.Ordinal);

    /// <summary>A mark among the compiled methods.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Now_the_steps()
    {
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Those_were_the_steps()
    {
    }
}
