using System.Collections.Immutable;
using System.Reflection;
using System.Reflection.Emit;
using System.Reflection.Metadata;
using System.Reflection.Metadata.Ecma335;
using System.Reflection.PortableExecutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using MlaGen.Generator.Tests.Infrastructure;

namespace MlaGen.Generator.Tests;

/// <summary>What is emitted compiles without a warning, and to the same kernels, whatever the user's project is set to.</summary>
public class UserSettingsTests
{
    private const string Small = "HiddenSize = 64, Heads = 3, QLoraRank = 8, KvLoraRank = 16, QkNopeHeadDim = 8, QkRopeHeadDim = 4, VHeadDim = 8";

    private static readonly Dictionary<int, OpCode> _opCodes = typeof(OpCodes)
        .GetFields(BindingFlags.Public | BindingFlags.Static)
        .Select(static field => (OpCode)field.GetValue(null)!)
        .ToDictionary(static code => (int)(ushort)code.Value);

    private static readonly string _source = Shapes.Source("Attention", Small);

    public static TheoryData<string> Settings =>
        ["checked", "debug", "nullable disabled", "nullable annotations", "nullable warnings", "preview", "strict", "no documentation", "unsafe", "CLS-compliant", "console", "path map", "symbols"];

    [Theory]
    [MemberData(nameof(Settings))]
    public void Emitted_code_has_no_warning_under_any_setting(string setting)
    {
        CSharpCompilationOptions options = Compilations.Options;
        CSharpParseOptions parse = Compilations.ParseOptions;
        string source = _source;
        switch (setting)
        {
            case "checked":
                options = options.WithOverflowChecks(true);
                break;
            case "debug":
                options = options.WithOptimizationLevel(OptimizationLevel.Debug);
                break;
            case "nullable disabled":
                options = options.WithNullableContextOptions(NullableContextOptions.Disable);
                break;
            case "nullable annotations":
                options = options.WithNullableContextOptions(NullableContextOptions.Annotations);
                break;
            case "nullable warnings":
                options = options.WithNullableContextOptions(NullableContextOptions.Warnings);
                break;
            case "preview":
                parse = parse.WithLanguageVersion(LanguageVersion.Preview);
                break;
            case "strict":
                parse = parse.WithFeatures([new("strict", "true")]);
                break;
            case "no documentation":
                parse = parse.WithDocumentationMode(DocumentationMode.None);
                break;
            case "unsafe":
                options = options.WithAllowUnsafe(true);
                break;
            case "CLS-compliant":
                source = source.Replace("namespace Models;", "[assembly: System.CLSCompliant(true)]\nnamespace Models;", StringComparison.Ordinal);
                break;
            case "console":
                options = options.WithOutputKind(OutputKind.ConsoleApplication);
                source += "internal static class Program { private static void Main() { } }";
                break;
            case "path map":
                options = options.WithDeterministic(true).WithSourceReferenceResolver(new SourceFileResolver([], null, [new("/", "/_/")]));
                break;
            default:
                parse = parse.WithPreprocessorSymbols("DEBUG", "TRACE", "NET", "NET10_0_OR_GREATER");
                break;
        }

        AssertEmits(Complete(source, options, parse), setting);
    }

    /// <summary>The instructions of every kernel are the same: no comparison for an overflow in any loop.</summary>
    [Fact]
    public void Overflow_checks_of_the_project_reach_no_kernel()
    {
        Dictionary<string, string[]> plain = Kernels(Compilations.Options);
        Dictionary<string, string[]> guarded = Kernels(Compilations.Options.WithOverflowChecks(true));

        Assert.True(plain.Count > 50, $"Only {plain.Count} methods were found.");
        Assert.Equal(plain.Keys.Order(StringComparer.Ordinal), guarded.Keys.Order(StringComparer.Ordinal));
        Assert.All(plain, method => Assert.Equal(method.Value, guarded[method.Key]));
        Assert.DoesNotContain(guarded.Values.SelectMany(static codes => codes), static code => code.Contains(".ovf", StringComparison.Ordinal));
    }

    private static CSharpCompilation Complete(string source, CSharpCompilationOptions options, CSharpParseOptions parse)
    {
        CSharpCompilation compilation = CSharpCompilation.Create("User", [CSharpSyntaxTree.ParseText(source, parse)], Compilations.References, options);
        GeneratorDriver driver = CSharpGeneratorDriver.Create([new MlaGenerator().AsSourceGenerator()], parseOptions: parse);
        driver.RunGeneratorsAndUpdateCompilation(compilation, out Compilation completed, out ImmutableArray<Diagnostic> diagnostics);
        Assert.Empty(diagnostics);
        Assert.True(completed.SyntaxTrees.Count() > 5);
        return (CSharpCompilation)completed;
    }

    private static byte[] AssertEmits(CSharpCompilation compilation, string setting)
    {
        using MemoryStream image = new();
        var result = compilation.Emit(image);
        Assert.True(result.Success && result.Diagnostics.All(static diagnostic => diagnostic.Severity == DiagnosticSeverity.Hidden), $"{setting}:\n{string.Join('\n', result.Diagnostics)}");
        return image.ToArray();
    }

    private static Dictionary<string, string[]> Kernels(CSharpCompilationOptions options)
    {
        using PEReader reader = new([.. AssertEmits(Complete(_source, options.WithOptimizationLevel(OptimizationLevel.Release), Compilations.ParseOptions), "kernels")]);
        MetadataReader metadata = reader.GetMetadataReader();
        return metadata.TypeDefinitions
            .Select(metadata.GetTypeDefinition)
            .Where(type => metadata.GetString(type.Namespace).StartsWith("MlaGen.Emitted.", StringComparison.Ordinal))
            .SelectMany(type => type.GetMethods().Select(metadata.GetMethodDefinition).Select(method => (Type: type, Method: method)))
            .Where(static entry => entry.Method.RelativeVirtualAddress != 0)
            .ToDictionary(
                entry => $"{metadata.GetString(entry.Type.Name)}.{metadata.GetString(entry.Method.Name)}",
                entry => Instructions([.. reader.GetMethodBody(entry.Method.RelativeVirtualAddress).GetILContent()]));
    }

    /// <summary>Names of instructions, without what they refer to: numbers of the metadata, which differ between two assemblies.</summary>
    private static string[] Instructions(byte[] il)
    {
        List<string> names = [];
        for (int i = 0; i < il.Length;)
        {
            OpCode code = il[i] == 0xFE ? _opCodes[0xFE00 | il[i + 1]] : _opCodes[il[i]];
            names.Add(code.Name!);
            i += code.Size + code.OperandType switch
            {
                OperandType.InlineNone => 0,
                OperandType.ShortInlineBrTarget or OperandType.ShortInlineI or OperandType.ShortInlineVar => 1,
                OperandType.InlineVar => 2,
                OperandType.InlineI8 or OperandType.InlineR => 8,
                OperandType.InlineSwitch => 4 * (1 + BitConverter.ToInt32(il, i + code.Size)),
                _ => 4,
            };
        }

        return [.. names];
    }
}
