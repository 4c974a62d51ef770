using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.Loader;
using MlaGen.Tests.Attention;

namespace MlaGen.Tests.Execution;

/// <summary>Classes of an assembly that is unloaded again, as a plugin's are: nothing of the library holds them once their last step has run.</summary>
public sealed class UnloadTests
{
    private const int Collections = 40;

    private static readonly AsyncLocal<object?> _flowing = new();

    [Theory]
    [InlineData(nameof(Unloaded.Run))]
    [InlineData(nameof(Unloaded.Fail))]
    [InlineData(nameof(Unloaded.Cancel))]
    [InlineData(nameof(Unloaded.RunWithToken))]
    [InlineData(nameof(Unloaded.RunOnOwnExecutor))]
    [InlineData(nameof(Unloaded.WarmUp))]
    [InlineData(nameof(Unloaded.LeaveOpen))]
    public void A_class_is_collected_after_its_steps(string what)
    {
        WeakReference context = RunIn(what);
        for (int i = 0; context.IsAlive && i < Collections; i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }

        Assert.False(context.IsAlive);
    }

    /// <summary>Threads that outlive a call carry nothing of the flow that happened to make them.</summary>
    [Fact]
    public void Workers_do_not_carry_what_flows_where_they_are_made()
    {
        (MlaExecutor executor, WeakReference flowing) = Create();
        GC.Collect();
        Assert.False(flowing.IsAlive);
        executor.Dispose();

        [MethodImpl(MethodImplOptions.NoInlining)]
        static (MlaExecutor, WeakReference) Create()
        {
            object value = new();
            _flowing.Value = value;
            var executor = new MlaExecutor(3);
            _flowing.Value = null;
            return (executor, new WeakReference(value));
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static WeakReference RunIn(string what)
    {
        var context = new AssemblyLoadContext(what, isCollectible: true);
        Assembly copy = context.LoadFromAssemblyPath(typeof(UnloadTests).Assembly.Location);
        Assert.NotSame(typeof(UnloadTests).Assembly, copy);
        MethodInfo method = copy.GetType(typeof(Unloaded).FullName!)!.GetMethod(what, BindingFlags.Public | BindingFlags.Static)!;
        using (context.EnterContextualReflection())
        {
            method.Invoke(null, null);
        }

        context.Unload();
        return new WeakReference(context, trackResurrection: true);
    }
}

/// <summary>What is called in the other copy of this assembly.</summary>
internal static class Unloaded
{
    private static readonly TestLayer _layer = TestLayer.Get("yarn");

    /// <summary>Prefill and decode, large enough for the shared threads.</summary>
    public static void Run() => Run(MlaExecutor.Shared);

    public static void RunOnOwnExecutor()
    {
        using var executor = new MlaExecutor(4);
        Run(executor);
    }

    public static void WarmUp() => _layer.Warmup();

    /// <summary>A unit that throws an exception of the assembly's own.</summary>
    public static void Fail()
        => Assert.Throws<OwnException>(() => MlaExecutor.Shared.Run((_, _) => throw new OwnException(), 64, CancellationToken.None));

    /// <summary>With a token that is never cancelled, and would call the assembly back.</summary>
    public static void RunWithToken()
    {
        var source = new CancellationTokenSource();
        source.Token.Register(() => _layer.ToString());
        using AttentionRun run = _layer.Open(new RunOptions { Form = MlaForm.Decompressed, Executor = MlaExecutor.Shared });
        run.Batch.CancellationToken = source.Token;
        run.Feed(run.CreateSequence(), Prompt.Random("token", 200, _layer.Spec.HiddenSize));
    }

    /// <summary>Cancelled by a token whose source calls the assembly back.</summary>
    public static void Cancel()
    {
        var source = new CancellationTokenSource();
        source.Token.Register(() => _layer.ToString());
        Assert.Throws<OperationCanceledException>(() => MlaExecutor.Shared.Run((_, _) => source.Cancel(), 64, source.Token));
    }

    /// <summary>Nothing is disposed.</summary>
    public static void LeaveOpen()
    {
        AttentionRun run = _layer.Open(new RunOptions { Executor = MlaExecutor.Shared });
        run.Pool.OnFull = _ => 0;
        run.Batch.Add(run.CreateSequence(), 100);
        run.Forward(Prompt.Random("open", 100, _layer.Spec.HiddenSize).Hidden, new float[100 * _layer.Spec.HiddenSize]);
    }

    private static void Run(MlaExecutor executor)
    {
        foreach (MlaForm form in (MlaForm[])[MlaForm.Absorbed, MlaForm.Decompressed])
        {
            using AttentionRun run = _layer.Open(new RunOptions { Form = form, Executor = executor });
            run.Feed(run.CreateSequence(), Prompt.Random("unloaded", 200, _layer.Spec.HiddenSize), chunk: 100);
        }
    }

    private sealed class OwnException : Exception;
}
