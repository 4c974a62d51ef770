using Microsoft.CodeAnalysis.CodeFixes;
using Microsoft.CodeAnalysis.CSharp.Testing;
using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.Testing;
using MlaGen.CodeFixes;
using MlaGen.Generator.Analyzers;
using MlaGen.Generator.CallSites;
using MlaGen.Generator.Diagnostics;
using MlaGen.Generator.Tests.CallSites;
using MlaGen.Generator.Tests.Infrastructure;

namespace MlaGen.Generator.Tests.CodeFixes;

/// <summary>What each fix makes of a source. In it, {|MLA0001:this|} is the diagnostic that is fixed.</summary>
public class CodeFixTests
{
    private const string Config =
        """
        {
          "model_type": "deepseek_v3", "hidden_size": 256, "num_attention_heads": 8, "q_lora_rank": 128, "kv_lora_rank": 64, "qk_nope_head_dim": 32,
          "qk_rope_head_dim": 16, "v_head_dim": 32, "max_position_embeddings": 1024, "rope_theta": 10000.0
        }
        """;

    [Theory]
    [InlineData("public sealed class {|MLA0001:Attention|};", "public sealed partial class Attention;", "Make 'Attention' partial")]
    [InlineData("// Ours.\nclass {|MLA0001:Attention|};", "// Ours.\npartial class Attention;", "Make 'Attention' partial")]
    public Task Class_becomes_partial(string declaration, string expected, string title)
        => Verify<MlaAttentionAnalyzer, MakePartialFix>($"using MlaGen;\n[MlaAttention(HiddenSize = 256, Heads = 8)]\n{declaration}", $"using MlaGen;\n[MlaAttention(HiddenSize = 256, Heads = 8)]\n{expected}", title);

    [Fact]
    public Task Types_around_the_class_become_partial()
        => Verify<MlaAttentionAnalyzer, MakePartialFix>(
            """
            using MlaGen;
            public class Outer
            {
                // Between.
                struct Middle
                {
                    [MlaAttention(HiddenSize = 256, Heads = 8)]
                    private partial class {|MLA0003:Inner|};
                }
            }
            """,
            """
            using MlaGen;
            public partial class Outer
            {
                // Between.
                partial struct Middle
                {
                    [MlaAttention(HiddenSize = 256, Heads = 8)]
                    private partial class Inner;
                }
            }
            """,
            "Make 'Outer' and 'Middle' partial");

    [Theory]
    [InlineData("[MlaAttention]", "[MlaAttention(\"tiny\")]", 2)]
    [InlineData("[MlaAttention()]", "[MlaAttention(\"tiny\")]", 2)]
    [InlineData("[MlaGen.MlaAttentionAttribute(KvLoraRank = 32, VHeadDim = 16)]", "[MlaGen.MlaAttentionAttribute(\"tiny\", KvLoraRank = 32, VHeadDim = 16)]", 2)]
    [InlineData("[MlaAttention(\n    Heads = 4,\n    VHeadDim = 16)]", "[MlaAttention(\n    \"tiny\", Heads = 4,\n    VHeadDim = 16)]", 1)]
    public Task Dimensions_come_from_the_configuration_of_the_project(string attribute, string expected, int missing)
    {
        string name = string.Concat(Enumerable.Repeat("{|MLA0005:", missing)) + "Attention" + string.Concat(Enumerable.Repeat("|}", missing));
        return Verify<MlaAttentionAnalyzer, UseModelConfigFix>(
            $"using MlaGen;\n{attribute}\npartial class {name};",
            $"using MlaGen;\n{expected}\npartial class Attention;",
            "Take the dimensions from the model configuration 'tiny'",
            configure: test => AddConfig(test, "tiny", Config));
    }

    [Fact]
    public Task Every_usable_configuration_is_offered()
        => Verify<MlaAttentionAnalyzer, UseModelConfigFix>(
            "using MlaGen;\n[MlaAttention(Heads = 8)]\npartial class {|MLA0005:Attention|};",
            "using MlaGen;\n[MlaAttention(\"second\", Heads = 8)]\npartial class Attention;",
            "Take the dimensions from the model configuration 'second'",
            index: 1,
            configure: static test =>
            {
                AddConfig(test, "broken", "{");
                AddConfig(test, "first", Config);
                AddConfig(test, "second", Config);
            });

    [Fact]
    public Task Without_a_configuration_none_is_offered()
    {
        const string Source = "using MlaGen;\n[MlaAttention(Heads = 8)]\npartial class {|MLA0005:Attention|};";
        return Verify<MlaAttentionAnalyzer, UseModelConfigFix>(Source, Source, title: null);
    }

    [Theory]
    [InlineData("63", "62", "Round QkRopeHeadDim down to 62", 0)]
    [InlineData("63", "64", "Round QkRopeHeadDim up to 64", 1)]
    [InlineData("Half + 31", "64", "Round QkRopeHeadDim up to 64", 1)]
    [InlineData("1", "2", "Round QkRopeHeadDim up to 2", 0)]
    public Task Rotary_dimension_is_rounded(string written, string expected, string title, int index)
        => Verify<MlaAttentionAnalyzer, RoundRopeDimensionFix>(
            $$"""
            using MlaGen;
            [MlaAttention(HiddenSize = 256, Heads = 8, {|MLA0008:QkRopeHeadDim = {{written}}|})]
            partial class Attention { private const int Half = 32; }
            """,
            $$"""
            using MlaGen;
            [MlaAttention(HiddenSize = 256, Heads = 8, QkRopeHeadDim = {{expected}})]
            partial class Attention { private const int Half = 32; }
            """,
            title,
            index);

    [Theory]
    [InlineData(
        """
        batch.Add(sequence, n);
                layer.Forward(batch, hidden, output);
        """,
        """
        batch.Add(sequence, n);
                layer.Forward(batch, hidden, output);
                batch.Commit();
        """)]
    [InlineData(
        """
        for (int i = 0; i < n; i++)
                {
                    batch.Add(sequence, 1);
                    foreach (Attention each in layers)
                    {
                        each.Forward(batch, hidden, output);
                    }

                    Console.WriteLine(i);
                }
        """,
        """
        for (int i = 0; i < n; i++)
                {
                    batch.Add(sequence, 1);
                    foreach (Attention each in layers)
                    {
                        each.Forward(batch, hidden, output);
                    }

                    batch.Commit();

                    Console.WriteLine(i);
                }
        """)]
    [InlineData(
        """
        foreach (LatentSequence each in sequences)
                {
                    batch.Add(each, 1);
                }

                foreach (Attention each in layers)
                    each.Forward(batch, hidden, output);
        """,
        """
        foreach (LatentSequence each in sequences)
                {
                    batch.Add(each, 1);
                }

                foreach (Attention each in layers)
                    each.Forward(batch, hidden, output);
                batch.Commit();
        """)]
    [InlineData("{ batch.Add(sequence, n); layer.Forward(batch, hidden, output); }", "{ batch.Add(sequence, n); layer.Forward(batch, hidden, output); batch.Commit(); }")]
    public Task Batch_is_committed_after_the_last_layer(string body, string expected)
        => Verify<UncommittedAnalyzer, AddCommitFix>(InMethod("using var {|MLA0305:batch|} = cache.CreateBatch();", body), InMethod("using var batch = cache.CreateBatch();", expected), "Add 'batch.Commit()'");

    [Fact]
    public Task Batch_of_a_program_without_a_method_is_committed()
        => Verify<UncommittedAnalyzer, AddCommitFix>(
            """
            using MlaGen;
            using Models;

            using var cache = Attention.CreateCache(1, 64);
            using var sequence = cache.CreateSequence();
            using var {|MLA0305:batch|} = cache.CreateBatch();
            var layer = new Attention(null!, 0);
            batch.Add(sequence, 1);
            layer.Forward(batch, new float[256], new float[256]);
            """,
            """
            using MlaGen;
            using Models;

            using var cache = Attention.CreateCache(1, 64);
            using var sequence = cache.CreateSequence();
            using var batch = cache.CreateBatch();
            var layer = new Attention(null!, 0);
            batch.Add(sequence, 1);
            layer.Forward(batch, new float[256], new float[256]);
            batch.Commit();
            """,
            "Add 'batch.Commit()'",
            configure: static test => test.TestState.OutputKind = Microsoft.CodeAnalysis.OutputKind.ConsoleApplication);

    [Fact]
    public void Every_fix_fixes_all_at_once()
        => Assert.All(
            typeof(MakePartialFix).Assembly.GetTypes().Where(static type => type.IsSubclassOf(typeof(CodeFixProvider))),
            static type => Assert.Same(WellKnownFixAllProviders.BatchFixer, ((CodeFixProvider)Activator.CreateInstance(type)!).GetFixAllProvider()));

    private static string InMethod(string declaration, string body) =>
        $$"""
        using System;
        using MlaGen;
        using Models;

        internal static class Program
        {
            private static void Run(Attention layer, Attention[] layers, LatentCache<Attention> cache, LatentSequence sequence, LatentSequence[] sequences, float[] hidden, float[] output, int n)
            {
                {{declaration}}
                {{body}}
            }
        }
        """;

    /// <summary>Checks the title and the text after the fix, of the fix of that index; without a title, that there is no fix.</summary>
    private static async Task Verify<TAnalyzer, TFix>(string source, string expected, string? title, int index = 0, Action<CSharpCodeFixTest<TAnalyzer, TFix, DefaultVerifier>>? configure = null)
        where TAnalyzer : DiagnosticAnalyzer, new()
        where TFix : CodeFixProvider, new()
    {
        CSharpCodeFixTest<TAnalyzer, TFix, DefaultVerifier> test = new()
        {
            TestCode = source,
            FixedCode = expected,
            ReferenceAssemblies = new ReferenceAssemblies("net10.0"),
            CompilerDiagnostics = CompilerDiagnostics.Errors,
            CodeActionIndex = index,
            CodeActionVerifier = (action, verifier) => verifier.Equal(title, action.Title),
        };
        test.TestState.AdditionalReferences.AddRange(Compilations.References.Add(CallSiteProject.Library));
        test.SolutionTransforms.Add(static (solution, project) => solution.WithProjectParseOptions(project, Compilations.ParseOptions));
        configure?.Invoke(test);
        await test.RunAsync();
    }

    private static void AddConfig<TAnalyzer, TFix>(CSharpCodeFixTest<TAnalyzer, TFix, DefaultVerifier> test, string name, string text)
        where TAnalyzer : DiagnosticAnalyzer, new()
        where TFix : CodeFixProvider, new()
    {
        test.TestState.AdditionalFiles.Add(($"/{name}/config.json", text));
        test.TestState.AnalyzerConfigFiles.Add(($"/{name}/.globalconfig", $"is_global = true\n[/{name}/config.json]\nbuild_metadata.AdditionalFiles.MlaModelConfigName = {name}\n"));
    }
}
