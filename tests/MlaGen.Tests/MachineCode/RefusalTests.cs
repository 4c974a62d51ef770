using MlaGen.Runtime;
using MlaGen.Tests.Attention;
using MlaGen.Tests.Golden;
using MlaGen.Tests.Processes;

namespace MlaGen.Tests.MachineCode;

/// <summary>Where machine code must not or cannot run, managed cores do, and say so.</summary>
public sealed class RefusalTests
{
    private const string Child = "MLAGEN_MACHINE_CODE_REFUSED";

    [Fact]
    public async Task An_application_that_switches_machine_code_off_runs_managed_cores()
        => Assert.Equal(1, await TestProcess.Run($"FullyQualifiedName~{nameof(Managed_cores_run_and_say_why)}", (Child, "switch")));

    [Fact]
    public async Task A_process_without_vector_instructions_runs_managed_cores()
        => Assert.Equal(1, await TestProcess.Run($"FullyQualifiedName~{nameof(Managed_cores_run_and_say_why)}", (Child, "intrinsics"), ("DOTNET_EnableHWIntrinsic", "0")));

    [Fact]
    public async Task A_process_that_the_system_gives_no_executable_memory_runs_managed_cores()
    {
        if (ExecutionFilter.IsSupported)
        {
            Assert.Equal(1, await TestProcess.Run($"FullyQualifiedName~{nameof(Managed_cores_run_and_say_why)}", (Child, "system"), ("DOTNET_EnableWriteXorExecute", "0")));
        }
    }

    [ChildFact(Child)]
    public void Managed_cores_run_and_say_why()
    {
        string? refusal = null;
        switch (Environment.GetEnvironmentVariable(Child))
        {
            case "switch":
                AppContext.SetSwitch(ExecutableMemory.Switch, true);
                refusal = $"the application has switched machine code off ({ExecutableMemory.Switch})";
                break;
            case "system":
                ExecutionFilter.Set();
                refusal = "the system lets no memory that was written to be executed (Permission denied)";
                break;
        }

        MlaCores cores = MlaCores.Of<Medium16Attention>();
        MlaCore running = cores.Absorbed.Single(core => core.Runs);
        Assert.Equal((SimdTiers.Current.ToString(), MlaPrecision.Highest), (running.Target.ToString(), running.Precision));
        MlaCore[] refused = [.. cores.Absorbed.Where(core => core.Target is CoreTarget.Amx or CoreTarget.Avx512Bf16)];
        Assert.Equal(3, refused.Length);
        Assert.All(refused, core => Assert.False(string.IsNullOrEmpty(core.Refusal)));
        if (refusal is not null && Targets.Refusal(CoreTarget.Avx512Bf16) is null)
        {
            Assert.Contains(refused, core => core.Refusal == refusal);
            Assert.Contains($"not Avx512Bf16 (Medium): {refusal}", cores.ToString(), StringComparison.Ordinal);
        }

        Assert.Contains("not Avx512Bf16 (Medium): ", cores.ToString(), StringComparison.Ordinal);
        Assert.Equal(MlaPrecision.Highest, cores.Projections.Single(core => core.Runs).Precision);
        Assert.All(cores.Projections.Where(core => !core.Runs), core => Assert.False(string.IsNullOrEmpty(core.Refusal)));

        // And they run: what a cache at the highest precision gives, bit for bit.
        Assert.Equal(Attend(MlaPrecision.Highest), Attend(MlaPrecision.Medium));
    }

    [Fact]
    public void A_precision_is_a_permission_that_a_cache_may_narrow_or_widen()
    {
        MlaCores highest = MlaCores.Of<Medium16Attention>(precision: MlaPrecision.Highest);
        Assert.Equal(MlaPrecision.Highest, highest.Absorbed.Single(core => core.Runs).Precision);
        Assert.All(highest.Absorbed.Where(core => core.Precision == MlaPrecision.Medium), core => Assert.Equal("its precision is Medium; Highest is asked for", core.Refusal));
        Assert.True(MlaCores.Of<Medium16Attention>(precision: MlaPrecision.High).Absorbed.Single(core => core.Runs).Precision <= MlaPrecision.High);

        // Two terms are exact where rows are bfloat16 in the cache, and there alone.
        Assert.NotNull(MlaCores.Of<Medium16Attention>(CacheFormat.Float32, MlaPrecision.High).Absorbed.Single(core => core.Target == CoreTarget.Amx && core.Precision == MlaPrecision.High).Refusal);
        Assert.Throws<ArgumentOutOfRangeException>(() => MlaCores.Of<Medium16Attention>(precision: (MlaPrecision)3));
        Assert.Throws<ArgumentOutOfRangeException>(() => Medium16Attention.CreateCache(1, 16, new LatentCacheOptions { Precision = (MlaPrecision)3 }));
        if (MatrixTargets.Any)
        {
            Assert.Equal(MlaPrecision.Medium, MlaCores.Of<Medium16Attention>().Absorbed.Single(core => core.Runs).Precision);
            Assert.NotEqual(Attend(MlaPrecision.Highest), Attend(MlaPrecision.Medium));
        }
    }

    /// <summary>A core that can run, but takes longer than the exact one, would make a permission a loss.</summary>
    [Theory]
    [InlineData("GenuineIntel", false)]
    [InlineData("AuthenticAMD", true)]
    [InlineData("", true)]
    public void Avx512Bf16_runs_where_it_pays(string maker, bool pays) => Assert.Equal(pays, Targets.Loss(maker) is null);

    [Fact]
    public void The_processor_says_who_made_it()
    {
        string info = OperatingSystem.IsLinux() ? File.ReadAllText("/proc/cpuinfo") : string.Empty;
        if (info.Contains("vendor_id", StringComparison.Ordinal))
        {
            Assert.Contains($": {MatrixInstructions.ProcessorMaker}\n", info, StringComparison.Ordinal);
        }
    }

    private static float[] Attend(MlaPrecision precision)
    {
        using LatentCache<Medium16Attention> cache = Medium16Attention.CreateCache(1, 512, new LatentCacheOptions { Precision = precision });
        using LatentSequence sequence = cache.CreateSequence();
        using MlaBatch<Medium16Attention> batch = cache.CreateBatch();
        batch.Add(sequence, 300);
        Medium16Attention.AppendLatent(batch, 0, CounterRandom.Hidden("refused", 300, 576));
        batch.Commit();
        batch.AddQueries(sequence, 1);
        float[] output = new float[16 * 512];
        Medium16Attention.AttendLatent(batch, 0, CounterRandom.Hidden("refused queries", 16, 576), output, new float[16]);
        AttentionRun.AssertWritten(output);
        return output;
    }
}
