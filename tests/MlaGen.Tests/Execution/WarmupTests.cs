using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;
using MlaGen.Tests.Attention;
using MlaGen.Tests.Oracles;

namespace MlaGen.Tests.Execution;

/// <summary><c>Warmup</c>: what it leaves to compile, and that nothing else comes of it.</summary>
public sealed partial class WarmupTests
{
    private const string Child = "MLAGEN_WARMUP_CHILD";

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

    [Fact]
    public async Task Nothing_of_the_library_is_left_to_compile()
    {
        string[] compiled = await CompiledInChildProcess();
        int marker = Array.FindIndex(compiled, method => method.Contains(nameof(Now_the_steps), StringComparison.Ordinal));

        // What was compiled before may be compiled again, better: the JIT goes on watching.
        IEnumerable<string> late = compiled[(marker + 1)..].Except(compiled[..marker]).Where(method => !method.StartsWith("MlaGen.Tests.", StringComparison.Ordinal));

        Assert.InRange(marker, 100, int.MaxValue);
        Assert.Contains(compiled[..marker], method => method.StartsWith("MlaGen.Emitted.", StringComparison.Ordinal));
        Assert.Empty(late);
    }

    /// <summary>Run by the test above in a process of its own, whose JIT writes down what it compiles.</summary>
    [Fact]
    public void Warm_up_then_run_steps()
    {
        if (Environment.GetEnvironmentVariable(Child) is null)
        {
            return;
        }

        TestLayer layer = TestLayer.Get("yarn");
        Prompt prompt = Prompt.Random("warm-up", 300, layer.Spec.HiddenSize);
        using AttentionRun run = layer.Open(new RunOptions { Threads = 2 });
        LatentSequence sequence = run.CreateSequence();
        float[] output = new float[prompt.Hidden.Length];
        float[] queries = new float[layer.Spec.Heads * layer.Spec.RowWidth];
        float[] latent = new float[layer.Spec.Heads * layer.Spec.KvLoraRank];
        float[] logSumExp = new float[layer.Spec.Heads];
        layer.Warmup();

        Now_the_steps();
        foreach ((MlaForm form, int tokens) in ((MlaForm, int)[])[(MlaForm.Decompressed, 300), (MlaForm.Absorbed, 1), (MlaForm.Absorbed, 40), (MlaForm.Auto, 1)])
        {
            run.Batch.Form = form;
            run.Batch.Add(sequence, tokens);
            run.Forward(prompt.Hidden.AsSpan(0, tokens * prompt.Width), output.AsSpan(0, tokens * prompt.Width));
            run.Batch.Commit();
        }

        run.Batch.AddQueries(sequence, 1);
        run.AttendLatent(queries, latent, logSumExp);
    }

    /// <summary>A mark in the list of compiled methods.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Now_the_steps()
    {
    }

    private static async Task<string[]> CompiledInChildProcess()
    {
        string listing = Path.GetTempFileName();
        try
        {
            var start = new ProcessStartInfo(
                Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet",
                ["vstest", typeof(WarmupTests).Assembly.Location, $"--TestCaseFilter:FullyQualifiedName~{nameof(Warm_up_then_run_steps)}"])
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            };
            start.Environment[Child] = "1";
            start.Environment["DOTNET_JitStdOutFile"] = listing;
            start.Environment["DOTNET_JitDisasmSummary"] = "1";
            using Process process = Process.Start(start)!;
            Task<string> errors = process.StandardError.ReadToEndAsync();
            string output = await process.StandardOutput.ReadToEndAsync() + await errors;
            await process.WaitForExitAsync();
            Assert.True(process.ExitCode == 0, output);
            return [.. Compiled().Matches(await File.ReadAllTextAsync(listing)).Select(match => match.Groups["method"].Value).Where(method => method.StartsWith("MlaGen.", StringComparison.Ordinal))];
        }
        finally
        {
            File.Delete(listing);
        }
    }

    [GeneratedRegex(@"JIT compiled (?<method>\S+?)\(")]
    private static partial Regex Compiled();
}
