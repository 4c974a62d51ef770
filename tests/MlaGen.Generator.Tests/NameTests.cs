using System.Text;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using MlaGen.Generator.Tests.Infrastructure;

namespace MlaGen.Generator.Tests;

/// <summary>Whatever classes, the types around them and their neighbours are called: each is completed, compiles and has files of its own.</summary>
public class NameTests
{
    private const string Attribute = "[global::MlaGen.MlaAttention(HiddenSize = 8, Heads = 1, KvLoraRank = 4, QkNopeHeadDim = 2, QkRopeHeadDim = 2, VHeadDim = 2)]";

    // 143 bytes on an encrypting file system are the fewest that a name may have.
    private const int MostBytes = 143;

    /// <summary>Every word that has a meaning somewhere in the language, names that emitted code uses, and words that may come to mean something.</summary>
    private static readonly string[] _words =
    [
        .. SyntaxFacts.GetReservedKeywordKinds().Concat(SyntaxFacts.GetContextualKeywordKinds()).Select(SyntaxFacts.GetText)
            .Concat(["required", "file", "scoped", "extension", "record", "field", "await", "var", "nint", "nuint", "dynamic", "notnull", "unmanaged", "async", "nameof", "allows", "union", "closed", "_", "__"])
            .Distinct().Order(StringComparer.Ordinal),
        "System", "MlaGen", "Runtime", "Math", "Unsafe", "Span", "ReadOnlySpan", "Vector128", "Vector512", "IntPtr", "MethodImpl", "MethodImplAttribute", "VectorMath", "Prefetch", "KernelLayout", "MlaKernels",
        "MlaBatch", "Emitted", "Scalar", "Decode", "Prefill", "Kernels", "DecodeVector512", "Vector512Kernels", "Projection", "Rows", "Length", "Program", "Object", "String", "Type", "Nullable", "Attribute",
    ];

    /// <summary>Neighbours that simple names would bind to: in the class's namespace, outside of any, and in every namespace around the kernels.</summary>
    private const string Neighbours =
        """
        internal static class Unsafe; internal static class Math; internal static class Vector128; internal static class Vector256; internal static class Vector512; internal struct Vector512<T>;
        internal static class Span; internal struct Span<T>; internal struct ReadOnlySpan<T>; internal static class VectorMath; internal static class Prefetch; internal class MlaKernels; internal class KernelLayout;
        internal class MethodImpl : global::System.Attribute; internal class MethodImplAttribute : global::System.Attribute; internal enum MethodImplOptions; internal struct IntPtr; internal class @nint; internal class @var;
        internal static class Extensions { public static void StoreUnsafe<T>(this global::System.Runtime.Intrinsics.Vector256<T> vector, ref T destination) { } }
        """;

    /// <summary>Each word in each place once: outermost namespace, inner namespace, type around the class, class.</summary>
    [Fact]
    public void Every_word_of_the_language_may_name_a_class_a_type_around_it_and_namespaces()
        => AssertComplete(_words.Length, [.. _words.Select((word, i) => $"namespace @{word}.@{Word(i + 1)} {{ partial class @{Word(i + 2)} {{ {Attribute} internal sealed partial class @{Word(i + 3)}; }} }}")]);

    [Fact]
    public void Every_word_may_name_a_class_outside_of_any_namespace()
    {
        string[] words = [.. _words.Where(static word => word is not ("System" or "MlaGen"))];
        AssertComplete(words.Length, [.. words.Select(static word => $"{Attribute} internal sealed partial class @{word};")]);
    }

    [Theory]
    [InlineData("namespace Models { {0} internal sealed partial class Layer1; {1} }")]
    [InlineData("namespace Models { {0} internal sealed partial class Layer1; } {1}")]
    [InlineData("namespace MlaGen { {1} } namespace Models { {0} internal sealed partial class Layer1; }")]
    [InlineData("namespace MlaGen.Emitted { {1} } namespace Models { {0} internal sealed partial class Layer1; }")]
    [InlineData("namespace Models { partial class Outer { {1} {0} internal sealed partial class Layer1; } }")]
    [InlineData("namespace Models { internal class Base { {1} public static string nameof(object o) => \"\"; } {0} internal sealed partial class Layer1 : Base; }")]
    [InlineData("global using Unsafe = System.Text.StringBuilder; global using Math = System.Text.StringBuilder; namespace Models { {0} internal sealed partial class Layer1; }")]
    [InlineData("namespace MlaGen.System { {0} internal sealed partial class Layer1; }")]
    [InlineData("namespace X.MlaGen { {0} internal sealed partial class Layer1; } namespace X { {0} internal sealed partial class Layer2; }")]
    [InlineData("namespace X { internal class System; internal class MlaGen; internal class global; {0} internal sealed partial class Layer1; }")]
    [InlineData("namespace X { internal class Base { public class Layer1 { } } namespace Y { {0} internal sealed partial class Layer2 : Base; } }")]
    public void Neighbours_of_any_name_are_none_of_its_business(string source)
    {
        // Extension methods stand in no nested class, and C# warns of names in lower case alone.
        string neighbours = source.Contains("Outer", StringComparison.Ordinal) || source.Contains("Base", StringComparison.Ordinal) ? Neighbours[..Neighbours.IndexOf("internal static class Extensions", StringComparison.Ordinal)] : Neighbours;
        string text = source.Replace("{0}", Attribute, StringComparison.Ordinal).Replace("{1}", neighbours, StringComparison.Ordinal).Replace("class global;", "class @global;", StringComparison.Ordinal);
        AssertComplete(source.Split("{0}").Length - 1, text);
    }

    /// <summary>No two classes meet in a file: nested like a part, alike but for case, dots or underscores, long, composed or folded by a file system.</summary>
    [Theory]
    [InlineData(2, "namespace A { {0} internal partial class Layers { {0} internal partial class Kernels; } }")]
    [InlineData(3, "namespace A { {0} internal partial class Layers { internal static partial class Decode { {0} internal partial class Vector512; {0} internal partial class VECTOR512; } } }")]
    [InlineData(2, "namespace A { {0} internal partial class Kernels1 { {0} internal partial class KERNELS; } }")]
    [InlineData(3, "namespace A { {0} internal partial class Abc; {0} internal partial class ABC; {0} internal partial class AbC; }")]
    [InlineData(3, "namespace a.B { {0} internal partial class C; } namespace A.b { {0} internal partial class C; } namespace A.B { {0} internal partial class C; }")]
    [InlineData(5, "namespace A { {0} internal partial class B_C; } namespace A_B { {0} internal partial class C; } namespace A.B { {0} internal partial class C; } namespace A._B { {0} internal partial class C; } namespace A_.B { {0} internal partial class C; }")]
    [InlineData(4, "namespace A { {0} internal partial class Stra\u00dfe; {0} internal partial class STRASSE; {0} internal partial class Caf\u00e9; {0} internal partial class Cafe\u0301; }")]
    [InlineData(4, "namespace \u6a21\u578b { {0} internal partial class \u6ce8\u610f\u529b; {0} internal partial class \u0130; {0} internal partial class \u0131; {0} internal partial class I; }")]
    [InlineData(3, "{0} internal partial class Con; {0} internal partial class AUX; namespace nul.X { {0} internal partial class Y; }")]
    public void Classes_never_meet_in_a_file(int classes, string source)
        => AssertComplete(classes, source.Replace("{0}", Attribute, StringComparison.Ordinal));

    [Theory]
    [InlineData("A")]
    [InlineData("_")]
    [InlineData("\u0416")]
    [InlineData("\u529b")]
    public void Long_names_keep_within_what_file_systems_and_metadata_take(string letter)
    {
        string name = string.Concat(Enumerable.Repeat(letter, 300 / Encoding.UTF8.GetByteCount(letter)));
        AssertComplete(3, $"namespace N{name} {{ {Attribute} internal partial class {name}1; {Attribute} internal partial class {name}2; {Attribute} internal partial class {name}{name[..10]}; }}");
    }

    [Fact]
    public void Files_of_ordinary_classes_have_plain_names_whatever_else_there_is()
    {
        GeneratorRunResult result = Compilations.Generate(Compilations.Create($"namespace Models {{ {Attribute} internal partial class Attention; {Attribute} internal partial class Layers; {Attribute} internal partial class LAYERS; }}"));

        Assert.Contains(result.GeneratedSources, static file => file.HintName == "Models.Attention.Weights.g.cs");
        Assert.DoesNotContain(result.GeneratedSources, static file => file.HintName is "Models.Layers.g.cs" or "Models.LAYERS.g.cs");
    }

    /// <summary>The compiler says what is wrong with a class; the others of the project are generated.</summary>
    [Theory]
    [InlineData("{0} internal partial class Wrong; {0} partial class Wrong;", "CS0579", 2)]
    [InlineData("namespace Other { class MlaAttentionAttribute : global::System.Attribute { public string? HiddenSize { get; set; } } [MlaAttention(HiddenSize = \"8\")] internal partial class Wrong; }", null, 1)]
    [InlineData("namespace Outer { namespace Inner { {0} internal partial class C; } {0} internal partial class Inner { {0} internal partial class C; } }", "CS0101", 4)]
    [InlineData("{0} internal partial class Wrong; {0} internal partial record Wrong;", "CS0261", 2)]
    [InlineData("{0} internal partial struct Wrong;", "CS0592", 1)]
    [InlineData("{0} internal partial record struct Wrong;", "CS0592", 1)]
    [InlineData("{0} internal partial interface IWrong;", "CS0592", 1)]
    [InlineData("{0} internal partial class Wrong<T>; internal partial class Outer<T> { {0} internal partial class Wrong; }", null, 1)]
    [InlineData("[global::MlaGen.MlaAttention(HiddenSize = \"8\")] internal partial class Wrong;", "CS0029", 1)]
    [InlineData("[global::MlaGen.MlaAttention(HiddenSize = 8, HiddenSize = 9, Heads = 1)] internal partial class Wrong;", "CS0643", 2)]
    [InlineData("[global::MlaGen.MlaAttention((string)null!)] internal partial class Wrong;", null, 1)]
    public void Wrong_class_takes_no_other_with_it(string wrong, string? error, int complete)
    {
        CSharpCompilation compilation = Compilations.Create(wrong.Replace("{0}", Attribute, StringComparison.Ordinal), $"namespace Models {{ {Attribute} internal partial class Good; }}");
        GeneratorRunResult result = Compilations.Generate(compilation);

        Assert.Contains(result.GeneratedSources, static file => file.HintName.StartsWith("Models.Good", StringComparison.Ordinal));
        Assert.Equal(complete, Completed(result));
        Assert.Empty(result.Diagnostics);
        AssertNamesAreSafe(result);
        if (error is not null)
        {
            Assert.Contains(compilation.GetDiagnostics(), diagnostic => diagnostic.Id == error);
        }
    }

    private static string Word(int i) => _words[i % _words.Length];

    private static void AssertComplete(int classes, params string[] sources)
    {
        CSharpCompilation compilation = Compilations.Create(sources);
        GeneratorRunResult result = Compilations.Generate(compilation);

        Assert.Equal(classes, Completed(result));
        AssertNamesAreSafe(result);

        // What C# says of the user's own declarations is theirs.
        CSharpCompilation completed = compilation.With(result);
        Assert.All(
            completed.SyntaxTrees.Where(static tree => tree.FilePath.Length > 0),
            tree => Assert.Empty(completed.GetSemanticModel(tree).GetDiagnostics().Where(static diagnostic => diagnostic.Severity != DiagnosticSeverity.Hidden)));
    }

    private static int Completed(GeneratorRunResult result)
        => result.GeneratedSources.Count(static file => file.SourceText.ToString().Contains(": one layer of Multi-head Latent Attention, ", StringComparison.Ordinal));

    private static void AssertNamesAreSafe(GeneratorRunResult result)
    {
        string[] names = [.. result.GeneratedSources.Select(static file => file.HintName)];
        Assert.Equal(names.Length, names.Distinct(StringComparer.OrdinalIgnoreCase).Count());
        Assert.All(names, static name => Assert.True(Encoding.UTF8.GetByteCount(name) <= MostBytes, $"{name} has {Encoding.UTF8.GetByteCount(name)} bytes."));

        // How a file system folds other letters than those of ASCII nobody knows: the hash tells such names apart.
        Assert.All(names.Where(static name => !Ascii.IsValid(name)), static name => Assert.Matches("-[0-9a-f]{16}\\.", name));
        Assert.All(names, static name => Assert.DoesNotMatch(@"(?i)^(con|prn|aux|nul|com\d|lpt\d)\.", name));
    }
}
