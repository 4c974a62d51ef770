using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using MlaGen.Generator.Model;
using MlaGen.Generator.Parsing;
using MlaGen.Generator.Tests.Infrastructure;

namespace MlaGen.Generator.Tests;

public class IncrementalityTests
{
    // With lists in it (a type around the class, factors): they are what forgets to compare by value.
    private const string First = """
        using MlaGen;
        namespace Models;
        public static partial class Layers
        {
            [MlaAttention(HiddenSize = 256, Heads = 8, QkRopeHeadDim = 4, RopeScaling = RopeScaling.LongRope, RopeFactor = 1, OriginalMaxPositionEmbeddings = 4096,
                ShortFactor = new[] { 1.0, 1.5 }, LongFactor = new[] { 1.0, 1.5 })]
            public sealed partial class First;
        }
        """;

    private const string Second = """
        using MlaGen;
        namespace Models;
        [MlaAttention(HiddenSize = 512, Heads = 4)]
        public sealed partial class Second;
        """;

    private const string Elsewhere = "namespace Models; internal static class Elsewhere { }";

    private static readonly string[] _steps = [StepNames.ParseAttribute, StepNames.ParseConfig, StepNames.ResolveSpec, StepNames.PlanLayer, StepNames.Output, StepNames.KernelShapes, StepNames.PlanKernels, StepNames.KernelOutput];

    [Fact]
    public void Same_compilation_twice_recomputes_nothing()
        => AssertNothingNew(Rerun(static compilation => compilation.Clone()));

    [Fact]
    public void Comment_in_the_class_recomputes_nothing()
        => AssertNothingNew(Rerun(static compilation => Replace(compilation, First, First + " // note")));

    [Fact]
    public void Edit_elsewhere_recomputes_nothing()
        => AssertNothingNew(Rerun(static compilation => Replace(compilation, Elsewhere, "namespace Models; internal static class Elsewhere { internal const int Answer = 42; }")));

    [Fact]
    public void New_member_of_the_class_recomputes_nothing()
        => AssertNothingNew(Rerun(static compilation => Replace(compilation, First, First.Replace("First;", "First { }", StringComparison.Ordinal))));

    [Fact]
    public void Spelling_out_a_default_emits_nothing_new()
    {
        GeneratorRunResult result = Rerun(static compilation => Replace(compilation, First, First.Replace("Heads = 8", "Heads = 8, KvLoraRank = 512", StringComparison.Ordinal)));

        Assert.Contains(IncrementalStepRunReason.Modified, Reasons(result, StepNames.ParseAttribute));
        Assert.All(Reasons(result, StepNames.ResolveSpec).Concat(Reasons(result, StepNames.Output)), AssertIsOld);
    }

    [Fact]
    public void Changed_number_emits_only_its_class_again()
    {
        GeneratorRunResult result = Rerun(static compilation => Replace(compilation, First, First.Replace("256", "384", StringComparison.Ordinal)));

        foreach (string step in new[] { StepNames.ParseAttribute, StepNames.ResolveSpec, StepNames.PlanLayer })
        {
            Assert.Equal(1, Reasons(result, step).Count(static reason => reason == IncrementalStepRunReason.Modified));
            Assert.Equal(2, Reasons(result, step).Length);
        }

        IncrementalStepRunReason[] outputs = Reasons(result, StepNames.Output);
        Assert.Equal(2, outputs.Length);
        Assert.Contains(IncrementalStepRunReason.Cached, outputs);

        // The hidden size is none of the kernels' business.
        Assert.All(Reasons(result, StepNames.KernelShapes).Concat(Reasons(result, StepNames.KernelOutput)), AssertIsOld);
    }

    [Fact]
    public void Changed_heads_emit_only_kernels_of_new_dimensions()
    {
        GeneratorRunResult result = Rerun(static compilation => Replace(compilation, First, First.Replace("Heads = 8", "Heads = 16", StringComparison.Ordinal)));

        Assert.Equal(2, Reasons(result, StepNames.KernelOutput).Length);
        Assert.Single(Reasons(result, StepNames.KernelOutput), static reason => reason is IncrementalStepRunReason.Modified or IncrementalStepRunReason.New);
    }

    [Fact]
    public void Classes_of_the_same_dimensions_share_their_kernels()
    {
        string[] formats = ["Float32", "BFloat16", "Float16", "Float8", "Int8"];
        string[] classes = [.. formats.Select(static format => $"[MlaGen.MlaAttention(HiddenSize = 512, Heads = 4, CacheFormat = MlaGen.CacheFormat.{format})] public sealed partial class On{format};")];

        GeneratorRunResult one = Compilations.Generate(Compilations.Create(classes[0]));
        GeneratorRunResult all = Compilations.Generate(Compilations.Create(classes));

        Assert.Equal(Kernels(one), Kernels(all));
        Assert.NotEmpty(Kernels(one));

        static string[] Kernels(GeneratorRunResult result) => [.. result.GeneratedSources.Where(static source => source.HintName.StartsWith("Kernels-", StringComparison.Ordinal)).Select(static source => source.HintName + source.SourceText)];
    }

    [Fact]
    public void Every_step_runs_under_its_name()
    {
        GeneratorRunResult result = Compilations.Generate(Compilations.Create(First, Second, Elsewhere));

        Assert.All(_steps, step => Assert.Contains(step, result.TrackedSteps.Keys));
    }

    [Fact]
    public void No_step_holds_a_symbol_a_node_or_a_location()
    {
        GeneratorRunResult result = Compilations.Generate(Compilations.Create(First, Second));

        foreach (string step in _steps)
        {
            Assert.All(result.TrackedSteps[step].SelectMany(static run => run.Outputs), output => Assert.Null(ObjectGraph.FindForbidden(output.Value)));
        }
    }

    [Fact]
    public void Model_of_a_wrong_class_holds_none_either()
    {
        // Steps of a class without output are not recorded, so this one is looked at by itself.
        CSharpCompilation compilation = Compilations.Create("[MlaGen.MlaAttention(HiddenSize = -1)] internal class Wrong;");
        INamedTypeSymbol type = compilation.GetTypeByMetadataName("Wrong")!;
        AttributeModel model = AttributeParser.Parse(type, AttributeParser.Find(type)!, compilation)!;

        Assert.NotEmpty(model.DeclarationProblems);
        Assert.Null(ObjectGraph.FindForbidden(model));
    }

    [Fact]
    public void Search_for_symbols_finds_them()
    {
        CSharpCompilation compilation = Compilations.Create(First);
        INamedTypeSymbol symbol = compilation.GetTypeByMetadataName("Models.Layers+First")!;

        Assert.NotNull(ObjectGraph.FindForbidden(compilation));
        Assert.NotNull(ObjectGraph.FindForbidden((1, new object[] { symbol })));
        Assert.NotNull(ObjectGraph.FindForbidden(new { Place = new { Inner = symbol.Locations[0] } }));
        Assert.Null(ObjectGraph.FindForbidden(new { Place = "text", Numbers = ImmutableArray.Create(1.5) }));
    }

    private static GeneratorRunResult Rerun(Func<CSharpCompilation, CSharpCompilation> edit)
    {
        CSharpCompilation compilation = Compilations.Create(First, Second, Elsewhere);
        return Compilations.Driver().RunGenerators(compilation).RunGenerators(edit(compilation)).GetRunResult().Results.Single();
    }

    private static CSharpCompilation Replace(CSharpCompilation compilation, string oldText, string newText)
    {
        SyntaxTree tree = compilation.SyntaxTrees.Single(candidate => candidate.ToString() == oldText);
        return compilation.ReplaceSyntaxTree(tree, CSharpSyntaxTree.ParseText(newText, Compilations.ParseOptions));
    }

    private static IncrementalStepRunReason[] Reasons(GeneratorRunResult result, string step)
        => [.. result.TrackedSteps[step].SelectMany(static run => run.Outputs).Select(static output => output.Reason)];

    private static void AssertNothingNew(GeneratorRunResult result)
        => Assert.All(_steps, step => Assert.All(Reasons(result, step), AssertIsOld));

    private static void AssertIsOld(IncrementalStepRunReason reason)
        => Assert.True(reason is IncrementalStepRunReason.Cached or IncrementalStepRunReason.Unchanged, $"The step ran anew: {reason}.");
}
