using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using MlaGen.Generator.Emission;
using MlaGen.Generator.Parsing;
using MlaGen.Generator.Tests.Infrastructure;

namespace MlaGen.Generator.Tests;

/// <summary>A class that cannot take its generated part as it is: one diagnostic at the user's line, and nothing emitted. One that can is completed.</summary>
public class MemberConflictTests
{
    private const string Head = "using System; using MlaGen; namespace Models; [MlaAttention(HiddenSize = 64, Heads = 2, QLoraRank = 8)] ";

    public static TheoryData<string> Members => [.. EmittedNames.Members.Where(static name => name != "Weights")];

    [Theory]
    [InlineData("internal sealed partial class Attention(int a) { public int A => a; }", "MLA0020", "Attention")]
    [InlineData("internal sealed partial class Attention();", "MLA0020", "Attention")]
    [InlineData("internal sealed partial class Attention; partial class Attention(int a) { public int A => a; }", "MLA0020", "Attention")]
    [InlineData("internal sealed partial class Attention : Base; internal class Base(int a) { public int A => a; }", "MLA0021", "Attention")]
    [InlineData("internal sealed partial class Attention : Base; internal class Base { public Base(int a) => _ = a; }", "MLA0021", "Attention")]
    [InlineData("internal sealed partial class Attention : Base; internal class Base { private Base() { } }", "MLA0021", "Attention")]
    [InlineData("internal sealed partial class Attention : Base; internal class Base { [System.Diagnostics.CodeAnalysis.SetsRequiredMembers] protected Base() { } }", "MLA0021", "Attention")]
    [InlineData("internal sealed partial class Attention : Base; internal class Base { [Obsolete] protected Base() { } }", "MLA0021", "Attention")]
    [InlineData("internal sealed partial class Attention : Base; internal class Base { protected Base(int a = 1) { } protected Base(string b = \"\") { } }", "MLA0021", "Attention")]
    [InlineData("internal sealed partial class Attention { public Attention(Weights weights, int layer) { } }", "MLA0022", "Attention")]
    [InlineData("internal sealed partial class Attention { public Attention(Attention.Weights w, int l) { } }", "MLA0022", "Attention")]
    [InlineData("internal sealed partial class Attention { public void Forward(MlaBatch<Attention> b, ReadOnlySpan<float> i, Span<float> o) { } }", "MLA0022", "Forward")]
    [InlineData("internal sealed partial class Attention { public int Forward; }", "MLA0022", "Forward")]
    [InlineData("internal sealed partial class Attention { public static long CacheBytes(int a, long b, CacheFormat c) => 0; }", "MLA0022", "CacheBytes")]
    [InlineData("internal sealed partial class Attention { public static object? CreateCache(int a, long b, LatentCacheOptions? c) => null; }", "MLA0022", "CreateCache")]
    [InlineData("internal sealed partial class Attention { public static object? Cores(CacheFormat? a) => null; }", "MLA0022", "Cores")]
    [InlineData("internal sealed partial class Attention { public int get_Layer() => 0; }", "MLA0022", "get_Layer")]
    [InlineData("internal sealed partial class Attention { static MlaShape IMlaAttention<Attention>.Shape => throw null!; }", "MLA0022", "Shape")]
    [InlineData("internal sealed partial class Attention { public sealed partial class Weights; }", "MLA0022", "Weights")]
    [InlineData("internal sealed partial class Attention { public event Action? Warmup; }", "MLA0022", "Warmup")]
    [InlineData("internal sealed partial class Attention { private enum Heads { One } }", "MLA0022", "Heads")]
    [InlineData("internal sealed partial class Attention : Base; internal class Base { public int Layer => 0; }", "MLA0022", "Attention")]
    [InlineData("internal sealed partial class Attention : Middle; internal class Middle : Base; internal class Base { protected class Weights; }", "MLA0022", "Attention")]
    [InlineData("internal sealed partial class Attention : Base; internal abstract class Base { public static void Warmup() { } }", "MLA0022", "Attention")]
    [InlineData("internal sealed partial class Attention : Base; [MlaAttention(HiddenSize = 64, Heads = 2)] internal partial class Base;", "MLA0022", "Attention")]
    [InlineData("internal sealed partial class Attention { public required string Name { get; init; } }", "MLA0023", "Name")]
    [InlineData("internal sealed partial class Attention { public required int Number; }", "MLA0023", "Number")]
    [InlineData("internal sealed partial class Attention : Base; internal class Base { public required string Name { get; init; } }", "MLA0023", "Attention")]
    public Task Class_that_cannot_take_its_part_is_told_once_at_the_users_line(string source, string id, string place) => AssertRefused(Head + source, id, place);

    [Theory]
    [MemberData(nameof(Members))]
    public Task Every_member_is_refused(string name)
        => AssertRefused($"{Head}internal sealed partial class Attention {{ internal object? {name} {{ get; set; }} }}", "MLA0022", name);

    [Theory]
    [MemberData(nameof(Members))]
    public Task Every_inherited_member_is_refused_if_it_can_be_seen(string name)
        => name.StartsWith('_') || name.StartsWith("s_", StringComparison.Ordinal)
            ? AssertRefused($"{Head}internal sealed partial class Attention : Base; internal class Base {{ protected object? {name}; }}", "MLA0022", "Attention")
            : AssertRefused($"{Head}internal sealed partial class Attention : Base; internal class Base {{ internal object? {name} {{ get; set; }} }}", "MLA0022", "Attention");

    [Theory]
    [InlineData("internal sealed partial class Attention { public void Forward(float[] hidden) { } public void Forward<T>(MlaBatch<Attention> b, ReadOnlySpan<float> i, Span<float> o) { } public static void Warmup(int times) { } }")]
    [InlineData("internal sealed partial class Attention { public static long CacheBytes(int layers) => 0; public static int Cores(CacheFormat a) => 0; public void Forward(in MlaBatch<Attention> b, ReadOnlySpan<float> i, Span<float> o) { } }")]
    [InlineData("internal sealed partial class Attention { public Attention(int layer) : this(null!, layer) { } public Attention(Weights weights) : this(weights, 0) { } static Attention() { } }")]
    [InlineData("internal sealed partial class Attention { public string Name { get; init; } = \"\"; private readonly string _text; }")]
    [InlineData("internal sealed partial class Attention : Base; internal class Base { public string Name { get; init; } = \"\"; public virtual void Forward(int x) { } }")]
    [InlineData("internal sealed partial class Attention : Base; internal class Base { protected Base(int optional = 3) => _ = optional; private int Layer => 0; private static int _layer => 0; }")]
    [InlineData("internal sealed partial class Attention : Base; internal class Base { protected Base(params int[] numbers) => _ = numbers; protected Base() { } }")]
    [InlineData("internal sealed partial class Attention : Base<int>, IDisposable { public void Dispose() { } } internal abstract class Base<T> where T : struct;")]
    [InlineData("internal sealed partial class Attention : IShaped { int IShaped.Layer => 1; } internal interface IShaped { int Layer { get; } }")]
    [InlineData("internal sealed partial class Attention : IMlaAttention<Attention>;")]
    public async Task Class_that_can_take_its_part_is_completed(string source)
    {
        CSharpCompilation compilation = Compilations.Create(Head + source);
        Assert.Empty(await Compilations.Analyze(compilation));
        GeneratorRunResult result = Compilations.Generate(compilation);
        Assert.NotEmpty(result.GeneratedSources);
        CSharpCompilation completed = compilation.With(result);
        Assert.Empty(completed.GetDiagnostics().Where(static diagnostic => diagnostic.Severity == DiagnosticSeverity.Error && diagnostic.Location.SourceTree?.FilePath.Length != 0));
    }

    /// <summary>Analyzers see the class with its generated part: what stands there is no conflict with itself.</summary>
    [Fact]
    public void Completed_class_has_no_problem()
    {
        CSharpCompilation compilation = Compilations.Create(Shapes.Source("Story", Shapes.Story), Shapes.Source("Plain", "HiddenSize = 64, Heads = 2"));
        Compilations.Driver().RunGeneratorsAndUpdateCompilation(compilation, out Compilation completed, out ImmutableArray<Diagnostic> _);
        Assert.All((string[])["Models.Story", "Models.Plain"], name =>
        {
            INamedTypeSymbol type = completed.GetTypeByMetadataName(name)!;
            Assert.Contains("Forward", type.MemberNames);
            Assert.Empty(AttributeParser.Parse(type, AttributeParser.Find(type)!, completed)!.DeclarationProblems);
        });
    }

    /// <summary>What C# gives the user's declaration, by whatever name it is written, global:: or not.</summary>
    [Theory]
    [InlineData("internal class System;")]
    [InlineData("namespace System { internal class Runtime; }")]
    [InlineData("namespace System { internal static class Math; }")]
    [InlineData("namespace System.Runtime.CompilerServices { internal static class Unsafe; }")]
    [InlineData("namespace System.Runtime.Intrinsics { internal struct Vector256<T>; }")]
    [InlineData("namespace MlaGen { internal class MlaShape; }")]
    [InlineData("namespace MlaGen { internal static class Emitted; }")]
    [InlineData("namespace MlaGen.Runtime { internal class MlaLayer<T>; }")]
    [InlineData("namespace MlaGen { internal class MlaAttentionAttribute : global::System.Attribute { public object? HiddenSize { get; set; } public int Heads { get; set; } public int Color { get; set; } } }")]
    public async Task Hidden_type_is_told_at_the_class(string declaration)
    {
        string color = declaration.Contains("Color", StringComparison.Ordinal) ? ", Color = 7" : string.Empty;
        CSharpCompilation compilation = Compilations.Create($"{declaration} namespace Models {{ [global::MlaGen.MlaAttention(HiddenSize = 64, Heads = 2{color})] internal sealed partial class Attention; }}");
        Assert.Equal("MLA0019", Assert.Single(await Compilations.Analyze(compilation)).Id);
        GeneratorRunResult result = Compilations.Generate(compilation);
        Assert.Empty(result.GeneratedSources);
        Assert.Empty(result.Diagnostics);
    }

    /// <summary>The list of types that are looked for is that of the types that are named.</summary>
    [Fact]
    public void Every_type_that_emitted_code_names_is_looked_for()
    {
        CSharpCompilation compilation = Compilations.Create(
            Shapes.Source("Story", Shapes.Story + ", AttentionBias = true"), Shapes.Source("Plain", "HiddenSize = 64, Heads = 2"), Shapes.Source("Gated", Shapes.Gated));
        CSharpCompilation completed = compilation.With(Compilations.Generate(compilation));
        IEnumerable<string> named = completed.SyntaxTrees.Where(static tree => tree.FilePath.Length > 0).SelectMany(tree =>
        {
            SemanticModel model = completed.GetSemanticModel(tree);
            return tree.GetRoot().DescendantNodes(descendIntoTrivia: true).Where(static node => node is Microsoft.CodeAnalysis.CSharp.Syntax.SimpleNameSyntax)
                .Select(node => model.GetSymbolInfo(node).Symbol)
                .Select(static symbol => (symbol is IMethodSymbol { MethodKind: MethodKind.Constructor } ? symbol.ContainingType : symbol as INamedTypeSymbol)?.OriginalDefinition)
                .OfType<INamedTypeSymbol>()
                .Where(static type => type.Locations.All(static location => location.IsInMetadata) && type.SpecialType is SpecialType.None or SpecialType.System_IntPtr)
                .Select(static type => $"{type.ContainingNamespace.ToDisplayString()}.{type.MetadataName}");
        });

        Assert.Equal(HiddenTypes.All.Order(StringComparer.Ordinal), named.Distinct().Order(StringComparer.Ordinal));
    }

    /// <summary>What the runtime shows for emitted code alone is what emitted code names, and what that derives from.</summary>
    [Fact]
    public void The_contract_is_what_emitted_code_names()
    {
        Type[] shown = [.. typeof(MlaShape).Assembly.GetExportedTypes().Where(static type => type.Namespace == "MlaGen.Runtime")];
        IEnumerable<string> named = HiddenTypes.All.Where(static name => name.StartsWith("MlaGen.Runtime.", StringComparison.Ordinal));
        IEnumerable<string> bases = shown.Where(type => named.Contains(type.FullName)).Select(static type => type.BaseType!.FullName!).Where(static name => name.StartsWith("MlaGen.Runtime.", StringComparison.Ordinal));

        Assert.Equal(named.Concat(bases).Distinct().Order(StringComparer.Ordinal), shown.Select(static type => type.FullName!).Order(StringComparer.Ordinal));
    }

    private static async Task AssertRefused(string source, string id, string place)
    {
        CSharpCompilation compilation = Compilations.Create(source);
        Diagnostic found = Assert.Single(await Compilations.Analyze(compilation));
        Assert.Equal((id, place), (found.Id, source.Substring(found.Location.SourceSpan.Start, found.Location.SourceSpan.Length)));
        GeneratorRunResult result = Compilations.Generate(compilation);
        Assert.DoesNotContain(result.GeneratedSources, static file => file.HintName.StartsWith("Models.Attention", StringComparison.Ordinal));
        Assert.Empty(result.Diagnostics);
    }
}
