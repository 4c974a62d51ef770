using System.Reflection;
using System.Runtime.CompilerServices;
using Explorer.Models;
using MlaGen.CheckedKernels;
using MlaGen.Runtime;
using MlaGen.Tests.Processes;
using Storyteller.Model;

namespace MlaGen.Tests.Jit;

/// <summary>
/// What the JIT makes of the emitted kernels of six published shapes, of every class in this assembly and of a project with checked arithmetic, of
/// the projections' kernels and of the sparse indexer's: full optimisation, no check for overflow, and in the loops that multiply and add neither a call nor traffic with the stack.
/// Each is lost silently, and costs most of the speed.
/// </summary>
[Trait("Category", "Jit")]
public sealed class JitGuardTests
{
    private const string Tier = "MLAGEN_JIT_TIER";
    private const string IndexTile12 = "Multiply12By2";
    private const string IndexTile6 = "Multiply6By2";

    private static readonly (Type Class, MlaShape Shape)[] _shapes =
    [
        (typeof(DeepSeekV3), DeepSeekV3.Shape), (typeof(KimiK2), KimiK2.Shape), (typeof(MiniCpm3), MiniCpm3.Shape),
        (typeof(Glm47Flash), Glm47Flash.Shape), (typeof(DeepSeekV2Lite), DeepSeekV2Lite.Shape), (typeof(StoryAttention), StoryAttention.Shape),
        (typeof(CheckedStory), CheckedStory.Shape), (typeof(CheckedGlm), CheckedGlm.Shape),
    ];

    private static readonly string[] _shared = [nameof(ProjectionTiles<>), nameof(PanelProducts), nameof(IndexKernels)];

    [Theory]
    [TierData(SimdTier.Vector512, "zmm")]
    [TierData(SimdTier.Vector256, "ymm")]
    public async Task Kernels_are_optimised_and_their_loops_stay_in_registers(SimdTier tier, string register)
    {
        IReadOnlyList<JitListing> listings = JitListing.Parse(await CompileInChildProcess(tier));

        Assert.All(listings, listing => Assert.Equal("FullOpts", listing.Optimization));
        var wide = listings.Where(listing => listing.FmaLoops().Any(loop => loop.Any(line => line.Contains(register, StringComparison.Ordinal)))).Select(listing => listing.Method).ToList();
        Assert.All(_shapes, shape => Assert.All(new[] { "Decode", "Prefill" }, form => Assert.Contains(wide, method => method.StartsWith($"{KernelNamespace(shape.Shape)}.{form}{tier}:Values", StringComparison.Ordinal))));
        Assert.All(_shared, kernel => Assert.Contains(wide, method => method.Contains(kernel, StringComparison.Ordinal)));
        Assert.All(listings.Where(listing => listing.Method.StartsWith("MlaGen.Emitted.", StringComparison.Ordinal)), listing => Assert.False(listing.ChecksForOverflow, listing.Method));
        Assert.True(listings.Single(listing => listing.Method.StartsWith($"{typeof(CheckedSum).FullName}:", StringComparison.Ordinal)).ChecksForOverflow);
        Assert.All(listings, listing => Assert.All(listing.FmaLoops(), loop => Assert.DoesNotContain(loop, line => IsLost(line, Streams(listing)))));
    }

    /// <summary>Run by the test above in a process of its own, whose JIT writes down what it compiles.</summary>
    [ChildFact(Tier)]
    public void Compile_all_kernels_of_a_tier()
    {
        string tier = SimdTiers.Current.ToString();
        Assert.Equal(Environment.GetEnvironmentVariable(Tier), tier);
        var shapes = _shapes.Select(shape => KernelNamespace(shape.Shape)).ToHashSet();
        IEnumerable<Type> own = typeof(JitGuardTests).Assembly.GetTypes().Where(type => type.Namespace?.StartsWith("MlaGen.Emitted.", StringComparison.Ordinal) == true);
        IEnumerable<Type> published = _shapes.Select(shape => shape.Class.Assembly).Distinct().SelectMany(assembly => assembly.GetTypes()).Where(type => type.Namespace is { } name && shapes.Contains(name));
        foreach (MethodInfo method in own.Concat(published).Where(type => type.Name.EndsWith(tier, StringComparison.Ordinal)).SelectMany(Methods))
        {
            RuntimeHelpers.PrepareMethod(method.MethodHandle);
        }

        RuntimeHelpers.PrepareMethod(typeof(CheckedSum).GetMethod(nameof(CheckedSum.Of))!.MethodHandle);
        PrepareProjections();
        PrepareIndexKernels();
    }

    /// <summary>Otherwise the machine code of an unchecked class of the same dimensions would stand for that of a checked one.</summary>
    [Theory]
    [InlineData(typeof(CheckedStory))]
    [InlineData(typeof(CheckedGlm))]
    public void No_other_class_has_the_kernels_of_a_checked_one(Type checkedClass)
    {
        string kernels = KernelNamespace(_shapes.Single(shape => shape.Class == checkedClass).Shape);
        IEnumerable<Assembly> assemblies = _shapes.Select(shape => shape.Class.Assembly).Append(typeof(JitGuardTests).Assembly).Distinct();
        Assert.Equal([checkedClass.Assembly], assemblies.Where(assembly => assembly.GetTypes().Any(type => type.Namespace == kernels)));
        Assert.Single(_shapes, shape => KernelNamespace(shape.Shape) == kernels);
    }

    /// <summary>Compiles the projections' kernels for the vectors of the tier, and for every format of weights.</summary>
    private static void PrepareProjections()
    {
        Type kernels = ProjectionKernels.Current.GetType();
        Type[] lanes = kernels.GetGenericArguments();
        foreach (Type type in PanelFormats.All.Select(static products => products.GetType()).Append(kernels))
        {
            Prepare(type, Methods(type));
        }

        // Twelve rows are the tile of 32 registers, six that of 16.
        Type tiles = typeof(ProjectionTiles<>).MakeGenericType(lanes);
        string foreign = SimdTiers.Current == SimdTier.Vector256 ? nameof(ProjectionTiles<>.Multiply12) : nameof(ProjectionTiles<>.Multiply6);
        Prepare(tiles, Methods(tiles).Where(method => method.Name != foreign));
    }

    /// <summary>Compiles the kernels of the sparse indexer; the tile of twelve keys by two vectors is for 32 registers, that of six for 16.</summary>
    private static void PrepareIndexKernels()
    {
        Type kernels = IndexKernels.Current.GetType();
        string foreign = SimdTiers.Current == SimdTier.Vector256 ? IndexTile12 : IndexTile6;
        Assert.Contains(Methods(kernels), method => method.Name == foreign);
        Prepare(kernels, Methods(kernels).Where(method => method.Name != foreign && !method.IsGenericMethodDefinition));
    }

    private static void Prepare(Type type, IEnumerable<MethodInfo> methods)
    {
        foreach (MethodInfo method in methods)
        {
            RuntimeHelpers.PrepareMethod(method.MethodHandle, [.. type.GetGenericArguments().Select(static argument => argument.TypeHandle)]);
        }
    }

    private static MethodInfo[] Methods(Type type) => type.GetMethods(BindingFlags.Static | BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly);

    /// <summary>Where the kernels of a class stand.</summary>
    private static string KernelNamespace(MlaShape shape)
        => FormattableString.Invariant($"MlaGen.Emitted.Heads{shape.Heads}Latent{shape.KvLoraRank}Rope{shape.QkRopeHeadDim}Nope{shape.QkNopeHeadDim}Value{shape.VHeadDim}");

    /// <summary>Whether a kernel reads weights as fast as memory gives them: what lies on the stack meanwhile costs it nothing.</summary>
    private static bool Streams(JitListing listing) => listing.Method.Contains($"{nameof(PanelProducts)}`2", StringComparison.Ordinal);

    private static bool IsLost(string instruction, bool streams) =>
        instruction.StartsWith("call", StringComparison.Ordinal)
        || (!streams && (instruction.Contains("[rsp", StringComparison.Ordinal) || instruction.Contains("[rbp", StringComparison.Ordinal)));

    private static async Task<string> CompileInChildProcess(SimdTier tier)
    {
        string listing = Path.GetTempFileName();
        try
        {
            await TestProcess.Run(
                $"FullyQualifiedName~{nameof(Compile_all_kernels_of_a_tier)}",
                (Tier, tier.ToString()),
                ("DOTNET_TieredCompilation", "0"),
                ("DOTNET_JitStdOutFile", listing),
                ("DOTNET_JitDisasm", "Scores*Token* Values*Column* Softmax*Column* *ProjectionTiles*:* *ProjectionKernels*:* *PanelProducts*:* *IndexKernels*:* *CheckedSum:*"),
                ("DOTNET_EnableAVX512", tier == SimdTier.Vector256 ? "0" : null));
            return await File.ReadAllTextAsync(listing);
        }
        finally
        {
            File.Delete(listing);
        }
    }
}
