using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Testing;
using Microsoft.CodeAnalysis.Testing;
using MlaGen.Generator.Analyzers;
using MlaGen.Generator.Diagnostics;
using MlaGen.Generator.Tests.Infrastructure;

namespace MlaGen.Generator.Tests;

/// <summary>What each rule says, and where. In a source, {|MLA0001:this|} is where a diagnostic is expected.</summary>
public class DiagnosticsTests
{
    private const string Yarn = "HiddenSize = 256, Heads = 8, RopeScaling = RopeScaling.Yarn, OriginalMaxPositionEmbeddings = 1024";

    private const string LongRope = "HiddenSize = 256, Heads = 8, QkRopeHeadDim = 4, RopeScaling = RopeScaling.LongRope, RopeFactor = 4";

    [Theory]
    [InlineData("public sealed class {|MLA0001:Attention|};", "Class 'Attention' must be partial: the generated layer is its other part")]
    [InlineData("public sealed partial class {|MLA0002:Attention|}<T>;", "Class 'Attention' cannot be generic or stand in a generic type ('Attention<T>'): its dimensions are constants, the same for every type argument")]
    [InlineData("public static partial class {|MLA0004:Attention|};", "Class 'Attention' is static; expected an ordinary class that can be constructed and named from another file")]
    [InlineData("public abstract partial class {|MLA0004:Attention|};", "Class 'Attention' is abstract; expected an ordinary class that can be constructed and named from another file")]
    [InlineData("public partial record {|MLA0004:Attention|};", "Class 'Attention' is a record; expected an ordinary class that can be constructed and named from another file")]
    [InlineData("public partial class {|MLA0004:Layer|};", "Class 'Layer' is named like a member that it would get; expected an ordinary class that can be constructed and named from another file")]
    [InlineData("file partial class {|MLA0004:Attention|};", "Class 'Attention' is local to its file; expected an ordinary class that can be constructed and named from another file")]
    public Task Class_itself_is_wrong(string declaration, string message)
        => Verify($"using MlaGen;\n[MlaAttention(HiddenSize = 256, Heads = 8)]\n{declaration}", message);

    [Theory]
    [InlineData("public partial class Outer<T>", "MLA0002", "Class 'Attention' cannot be generic or stand in a generic type ('Outer<T>'): its dimensions are constants, the same for every type argument")]
    [InlineData("public class Outer", "MLA0003", "Type 'Outer' around class 'Attention' must be partial")]
    [InlineData("file partial class Outer", "MLA0004", "Class 'Attention' is local to its file; expected an ordinary class that can be constructed and named from another file")]
    public Task Type_around_the_class_is_wrong(string outer, string id, string message)
        => Verify($"using MlaGen;\n{outer} {{ [MlaAttention(HiddenSize = 256, Heads = 8)] public partial class {{|{id}:Attention|}}; }}", message);

    [Theory]
    [InlineData("HiddenSize = 256", "'Attention' needs Heads (num_attention_heads in the model's configuration)")]
    [InlineData("Heads = 8, KvLoraRank = 64", "'Attention' needs HiddenSize (hidden_size in the model's configuration)")]
    public Task Dimension_is_missing(string attribute, string message)
        => Verify($"using MlaGen;\n[MlaAttention({attribute})]\npublic partial class {{|MLA0005:Attention|}};", message);

    [Fact]
    public Task Both_required_dimensions_are_missing()
        => Verify(
            "using MlaGen;\n[MlaAttention]\npublic partial class {|MLA0005:{|MLA0005:Attention|}|};",
            "'Attention' needs HiddenSize (hidden_size in the model's configuration)",
            "'Attention' needs Heads (num_attention_heads in the model's configuration)");

    [Theory]
    [InlineData("{|MLA0006:HiddenSize = 0|}, Heads = 8", "HiddenSize is 0; expected at least 1")]
    [InlineData("HiddenSize = 256, {|MLA0006:Heads = -8|}", "Heads is -8; expected at least 1")]
    [InlineData("HiddenSize = 256, Heads = 8, {|MLA0006:QLoraRank = -1|}", "QLoraRank is -1; expected at least 0")]
    [InlineData("HiddenSize = 256, Heads = 8, {|MLA0006:KvLoraRank = 0|}", "KvLoraRank is 0; expected at least 1")]
    [InlineData("HiddenSize = 256, Heads = 8, {|MLA0006:QkNopeHeadDim = 0|}", "QkNopeHeadDim is 0; expected at least 1")]
    [InlineData("HiddenSize = 256, Heads = 8, {|MLA0006:QkRopeHeadDim = -2|}", "QkRopeHeadDim is -2; expected at least 0")]
    [InlineData("HiddenSize = 256, Heads = 8, {|MLA0006:VHeadDim = 0|}", "VHeadDim is 0; expected at least 1")]
    [InlineData("HiddenSize = 256, Heads = 8, {|MLA0006:MaxPositionEmbeddings = 0|}", "MaxPositionEmbeddings is 0; expected at least 1")]
    [InlineData("{|MLA0007:HiddenSize = 65537|}, Heads = 8", "HiddenSize is 65537; the largest supported value is 65536")]
    [InlineData("HiddenSize = 256, {|MLA0007:Heads = 1025|}", "Heads is 1025; the largest supported value is 1024")]
    [InlineData("HiddenSize = 256, Heads = 8, {|MLA0007:QLoraRank = 65537|}", "QLoraRank is 65537; the largest supported value is 65536")]
    [InlineData("HiddenSize = 256, Heads = 8, {|MLA0007:KvLoraRank = 4097|}", "KvLoraRank is 4097; the largest supported value is 4096")]
    [InlineData("HiddenSize = 256, Heads = 8, {|MLA0007:QkNopeHeadDim = 1025|}", "QkNopeHeadDim is 1025; the largest supported value is 1024")]
    [InlineData("HiddenSize = 256, Heads = 8, {|MLA0007:QkRopeHeadDim = 1026|}", "QkRopeHeadDim is 1026; the largest supported value is 1024")]
    [InlineData("HiddenSize = 256, Heads = 8, {|MLA0007:VHeadDim = 1025|}", "VHeadDim is 1025; the largest supported value is 1024")]
    [InlineData("HiddenSize = 256, Heads = 8, {|MLA0007:MaxPositionEmbeddings = 16777217|}", "MaxPositionEmbeddings is 16777217; the largest supported value is 16777216")]
    [InlineData("HiddenSize = 65536, {|MLA0007:{|MLA0007:Heads = 256|}|}", "The number of elements of QProj with Heads · (QkNopeHeadDim + QkRopeHeadDim) · HiddenSize is 3221225472; the largest supported value is 2147483647", "The number of elements of OProj with HiddenSize · Heads · VHeadDim is 2147483648; the largest supported value is 2147483647")]
    [InlineData("HiddenSize = 65536, {|MLA0007:Heads = 1|}, QLoraRank = 65536", "The number of elements of QAProj with QLoraRank · HiddenSize is 4294967296; the largest supported value is 2147483647")]
    [InlineData("HiddenSize = 256, Heads = 8, {|MLA0008:QkRopeHeadDim = 63|}", "QkRopeHeadDim is 63; expected an even number, since elements are rotated in pairs")]
    [InlineData("HiddenSize = 256, Heads = 8, {|MLA0016:ScaleQLora = true|}", "ScaleQLora multiplies the query latent, and QLoraRank is 0; expected a QLoraRank of at least 1")]
    public Task Dimension_is_wrong(string attribute, params string[] messages) => VerifyAttribute(attribute, messages);

    [Theory]
    [InlineData("{|MLA0024:OutputGate = OutputGate.Query|}", "OutputGate.Query makes the gates from the query latent, and QLoraRank is 0; expected a QLoraRank of at least 1, or gates from the hidden state: HeadWise or ElementWise")]
    [InlineData("{|MLA0015:OutputGate = (OutputGate)4|}", "OutputGate is 4; expected None, HeadWise, ElementWise or Query")]
    [InlineData("{|MLA0009:OutputGateName = \"g_proj\"|}", "OutputGateName has no effect: OutputGate is None")]
    [InlineData("QLoraRank = 64, OutputGate = OutputGate.Query, {|MLA0009:OutputGateName = \"g_proj\"|}", "OutputGateName has no effect: with OutputGate.Query the gates come out of q_b_proj")]
    [InlineData("OutputGate = OutputGate.HeadWise, {|MLA0025:OutputGateName = \"\"|}", "OutputGateName is ''; expected letters, digits and underscores, as in g_proj, and not the name of another projection")]
    [InlineData("OutputGate = OutputGate.HeadWise, {|MLA0025:OutputGateName = \"o_proj\"|}", "OutputGateName is 'o_proj'; expected letters, digits and underscores, as in g_proj, and not the name of another projection")]
    [InlineData("OutputGate = OutputGate.HeadWise, {|MLA0025:OutputGateName = \"learnable_sink_param\"|}", "OutputGateName is 'learnable_sink_param'; expected letters, digits and underscores, as in g_proj, and not the name of another projection")]
    [InlineData("OutputGate = OutputGate.HeadWise, {|MLA0025:OutputGateName = \"a\\\"b\\u2028\"|}", "OutputGateName is 'a\"b\\u2028'; expected letters, digits and underscores, as in g_proj, and not the name of another projection")]
    public Task Gate_is_wrong(string attribute, string message) => VerifyAttribute("HiddenSize = 256, Heads = 8, " + attribute, message);

    [Theory]
    [InlineData("{|MLA0009:RopeFactor = 40|}", "RopeFactor has no effect: RopeScaling is None, and only YaRN and LongRoPE read it")]
    [InlineData("{|MLA0009:BetaFast = 32|}", "BetaFast has no effect: RopeScaling is None, and only YaRN reads it")]
    [InlineData("{|MLA0009:BetaSlow = 1|}", "BetaSlow has no effect: RopeScaling is None, and only YaRN reads it")]
    [InlineData("{|MLA0009:Mscale = 1|}", "Mscale has no effect: RopeScaling is None, and only YaRN reads it")]
    [InlineData("{|MLA0009:MscaleAllDim = 1|}", "MscaleAllDim has no effect: RopeScaling is None, and only YaRN reads it")]
    [InlineData("{|MLA0009:RopeTruncate = false|}", "RopeTruncate has no effect: RopeScaling is None, and only YaRN reads it")]
    [InlineData("{|MLA0009:AttentionFactor = 1|}", "AttentionFactor has no effect: RopeScaling is None, and only YaRN and LongRoPE read it")]
    [InlineData("{|MLA0009:ShortFactor = new[] { 1.0 }|}", "ShortFactor has no effect: RopeScaling is None, and only LongRoPE reads it")]
    [InlineData("{|MLA0009:LongFactor = new[] { 1.0 }|}", "LongFactor has no effect: RopeScaling is None, and only LongRoPE reads it")]
    [InlineData("{|MLA0009:OriginalMaxPositionEmbeddings = 4096|}", "OriginalMaxPositionEmbeddings has no effect: RopeScaling is None, and only YaRN, LongRoPE and Llama4ScalingBeta read it")]
    [InlineData("RopeLayout = RopeLayout.None, {|MLA0009:RopeTheta = 10000|}", "RopeTheta has no effect: RopeLayout is None")]
    [InlineData("QkRopeHeadDim = 0, {|MLA0009:RopeLayout = RopeLayout.HalfSplit|}", "RopeLayout has no effect: QkRopeHeadDim is 0")]
    [InlineData("QkRopeHeadDim = 0, {|MLA0009:RopeTheta = 5000|}", "RopeTheta has no effect: QkRopeHeadDim is 0")]
    [InlineData("RopeLayout = RopeLayout.None, {|MLA0009:RopeScaling = RopeScaling.Yarn|}, OriginalMaxPositionEmbeddings = 1024", "RopeScaling has no effect: RopeLayout is None")]
    [InlineData("QkRopeHeadDim = 0, {|MLA0009:RopeScaling = RopeScaling.Yarn|}, OriginalMaxPositionEmbeddings = 1024", "RopeScaling has no effect: QkRopeHeadDim is 0")]
    [InlineData("{|MLA0010:RopeScaling = RopeScaling.Yarn|}, RopeFactor = 4", "RopeScaling.Yarn needs OriginalMaxPositionEmbeddings, the context length before scaling")]
    [InlineData("{|MLA0010:Llama4ScalingBeta = 0.1|}", "Llama4ScalingBeta needs OriginalMaxPositionEmbeddings, the context length before scaling")]
    [InlineData("{|MLA0015:RopeTheta = 1|}", "RopeTheta is 1; expected a number above 1 within the range of float")]
    [InlineData("{|MLA0015:RopeTheta = double.NaN|}", "RopeTheta is NaN; expected a number above 1 within the range of float")]
    [InlineData("{|MLA0015:RopeTheta = 1e300|}", "RopeTheta is 1E+300; expected a number above 1 within the range of float")]
    [InlineData("{|MLA0015:RopeLayout = (RopeLayout)7|}", "RopeLayout is 7; expected Interleaved, HalfSplit or None")]
    [InlineData("{|MLA0015:CacheFormat = (CacheFormat)5|}", "CacheFormat is 5; expected Float32, BFloat16, Float16, Float8 or Int8")]
    [InlineData("{|MLA0015:RopeScaling = (RopeScaling)(-1)|}", "RopeScaling is -1; expected None, Yarn or LongRope")]
    [InlineData("{|MLA0015:OriginalMaxPositionEmbeddings = -1|}, Llama4ScalingBeta = 0.1", "OriginalMaxPositionEmbeddings is -1; expected 1 to 16777216, or 0 for none")]
    [InlineData("{|MLA0015:LatentNormEpsilon = 0|}", "LatentNormEpsilon is 0; expected a positive number within the range of float")]
    [InlineData("{|MLA0015:LatentNormEpsilon = 1e-60|}", "LatentNormEpsilon is 1E-60; expected a positive number within the range of float")]
    [InlineData("{|MLA0015:SoftmaxScale = -0.1|}", "SoftmaxScale is -0.1; expected a positive number within the range of float, or 0 to derive it")]
    [InlineData("OriginalMaxPositionEmbeddings = 4096, {|MLA0015:Llama4ScalingBeta = double.PositiveInfinity|}", "Llama4ScalingBeta is Infinity; expected a positive number within the range of float, or 0 for none")]
    public Task Position_or_number_is_wrong(string attribute, string message) => VerifyAttribute("HiddenSize = 256, Heads = 8, " + attribute, message);

    [Theory]
    [InlineData("{|MLA0011:RopeFactor = 0.5|}", "The YaRN factor is 0.5; expected at least 1")]
    [InlineData("{|MLA0011:RopeFactor = double.NaN|}", "The YaRN factor is NaN; expected at least 1")]
    public Task Yarn_factor_is_wrong(string attribute, string message) => VerifyAttribute($"{Yarn}, {attribute}", message);

    [Theory]
    [InlineData("BetaSlow = 32, {|MLA0012:BetaFast = 1|}", "BetaFast is 1 and BetaSlow is 32; expected BetaFast to be at least BetaSlow")]
    [InlineData("{|MLA0015:BetaSlow = 0|}", "BetaSlow is 0; expected a positive number within the range of float")]
    [InlineData("{|MLA0015:Mscale = -1|}", "Mscale is -1; expected a positive number within the range of float, or 0 for none")]
    [InlineData("{|MLA0009:ShortFactor = new[] { 1.0 }|}", "ShortFactor has no effect: RopeScaling is Yarn, and only LongRoPE reads it")]
    public Task Yarn_is_wrong(string attribute, string message) => VerifyAttribute($"{Yarn}, RopeFactor = 4, {attribute}", message);

    // What a class accepts says nothing of the model: with or without a limit, only a factor that is written will do.
    [Theory]
    [InlineData("{|MLA0010:RopeScaling = RopeScaling.Yarn|}", "RopeScaling.Yarn")]
    [InlineData("{|MLA0010:RopeScaling = RopeScaling.Yarn|}, MaxPositionEmbeddings = 65536", "RopeScaling.Yarn")]
    [InlineData("{|MLA0010:RopeScaling = RopeScaling.Yarn|}, MaxPositionEmbeddings = 512, RopeFactor = 0", "RopeScaling.Yarn")]
    [InlineData("{|MLA0010:RopeScaling = RopeScaling.Yarn|}, AttentionFactor = 1", "RopeScaling.Yarn")]
    [InlineData("{|MLA0010:RopeScaling = RopeScaling.LongRope|}, QkRopeHeadDim = 4, ShortFactor = new[] { 1.0, 2.0 }, LongFactor = new[] { 1.0, 2.0 }", "RopeScaling.LongRope")]
    [InlineData("{|MLA0010:RopeScaling = RopeScaling.LongRope|}, QkRopeHeadDim = 4, MaxPositionEmbeddings = 1024, ShortFactor = new[] { 1.0, 2.0 }, LongFactor = new[] { 1.0, 3.0 }", "RopeScaling.LongRope")]
    public Task Factor_is_not_derived_from_the_positions_that_a_class_accepts(string attribute, string scaling)
        => VerifyAttribute(
            $"HiddenSize = 256, Heads = 8, OriginalMaxPositionEmbeddings = 1024, {attribute}",
            $"{scaling} needs RopeFactor, the model's factor or its max_position_embeddings / original_max_position_embeddings, whatever number of positions the class accepts");

    [Theory]
    [InlineData("OriginalMaxPositionEmbeddings = 4096, {|MLA0013:ShortFactor = new[] { 1.0 }|}, LongFactor = new[] { 1.0, 2.0 }", "ShortFactor has 1 element; expected 2, which is QkRopeHeadDim / 2")]
    [InlineData("OriginalMaxPositionEmbeddings = 4096, ShortFactor = new[] { 1.0, 2.0 }, {|MLA0013:LongFactor = null|}", "LongFactor has 0 elements; expected 2, which is QkRopeHeadDim / 2")]
    [InlineData("OriginalMaxPositionEmbeddings = 4096, {|MLA0015:ShortFactor = new[] { 1.0, -2.0 }|}, LongFactor = new[] { 1.0, 2.0 }", "ShortFactor[1] is -2; expected a positive number within the range of float")]
    [InlineData("OriginalMaxPositionEmbeddings = 1024, ShortFactor = new[] { 1.0, 2.0 }, {|MLA0014:LongFactor = new[] { 1.0, 3.0 }|}", "ShortFactor and LongFactor differ at element 1, and MaxPositionEmbeddings (4096) lies beyond OriginalMaxPositionEmbeddings (1024); expected equal factors or positions within the original context, since frequencies are constants")]
    [InlineData("OriginalMaxPositionEmbeddings = 4096, {|MLA0009:Mscale = 1|}, ShortFactor = new[] { 1.0, 2.0 }, LongFactor = new[] { 1.0, 3.0 }", "Mscale has no effect: RopeScaling is LongRope, and only YaRN reads it")]
    [InlineData("MaxPositionEmbeddings = 1, {|MLA0015:OriginalMaxPositionEmbeddings = 1|}, ShortFactor = new[] { 1.0, 2.0 }, LongFactor = new[] { 1.0, 2.0 }", "OriginalMaxPositionEmbeddings is 1; expected 2 or more, or an AttentionFactor beside it")]
    [InlineData("OriginalMaxPositionEmbeddings = 4096, {|MLA0015:ShortFactor = new[] { 1.0, 1e-44 }|}, LongFactor = new[] { 1.0, 2.0 }", "The frequency of rotated pair 1 is Infinity; expected a positive number within the range of float (LongRoPE: frequency of pair i = 10000^(-2i/4) / ShortFactor[i])")]
    [InlineData("OriginalMaxPositionEmbeddings = 4096, {|MLA0015:AttentionFactor = 1e-50|}, ShortFactor = new[] { 1.0, 2.0 }, LongFactor = new[] { 1.0, 2.0 }", "The factor on cosine and sine is 0; expected a positive number within the range of float (cosine and sine factor = 1E-50, as given)")]
    public Task LongRope_is_wrong(string attribute, string message) => VerifyAttribute($"{LongRope}, {attribute}", message);

    [Theory]
    [InlineData("{|MLA0015:RopeFactor = -1|}", "RopeFactor is -1; expected a positive number within the range of float, or 0 for none")]
    [InlineData("{|MLA0015:RopeFactor = double.PositiveInfinity|}", "RopeFactor is Infinity; expected a positive number within the range of float, or 0 for none")]
    public Task LongRope_factor_is_wrong(string attribute, string message)
        => VerifyAttribute($"HiddenSize = 256, Heads = 8, QkRopeHeadDim = 4, RopeScaling = RopeScaling.LongRope, OriginalMaxPositionEmbeddings = 4096, ShortFactor = new[] {{ 1.0, 2.0 }}, LongFactor = new[] {{ 1.0, 2.0 }}, {attribute}", message);

    [Theory]
    [InlineData("QkRopeHeadDim = 0, RopeLayout = RopeLayout.None")]
    [InlineData("Mscale = 0, MscaleAllDim = 0, RopeFactor = 0, AttentionFactor = 0, SoftmaxScale = 0, Llama4ScalingBeta = 0, OriginalMaxPositionEmbeddings = 0")]
    [InlineData("QLoraRank = 0, ScaleQLora = false")]
    [InlineData("RopeScaling = RopeScaling.Yarn, RopeFactor = 1, OriginalMaxPositionEmbeddings = 4096, BetaFast = 1, BetaSlow = 1")]
    [InlineData("QkRopeHeadDim = 4, RopeScaling = RopeScaling.LongRope, AttentionFactor = 1.5, OriginalMaxPositionEmbeddings = 1, MaxPositionEmbeddings = 1, ShortFactor = new[] { 1.0, 2.0 }, LongFactor = new[] { 1.0, 3.0 }")]
    public Task Values_that_mean_absent_and_limits_are_accepted(string attribute) => VerifyAttribute("HiddenSize = 256, Heads = 8, " + attribute);

    [Fact]
    public Task Configuration_that_the_project_does_not_have()
        => VerifyAttribute("{|MLA0100:\"deepseek-v3\"|}, HiddenSize = 256", "The project has no MlaModelConfig item named 'deepseek-v3'; there are none. Add <MlaModelConfig Include=\"path/to/config.json\" Name=\"deepseek-v3\" /> to an ItemGroup of the project, with the path of the model's own file");

    [Fact]
    public Task Property_of_another_part_of_the_class_is_reported_at_the_attribute()
        => Verify("using MlaGen;\npublic partial class Attention { }\n[MlaAttention({|MLA0006:HiddenSize = 0|}, Heads = 8)]\npublic partial class Attention { }", "HiddenSize is 0; expected at least 1");

    [Fact]
    public async Task Argument_that_the_compiler_refuses_is_left_to_it()
    {
        CSharpCompilation compilation = Compilations.Create("using MlaGen; [MlaAttention(HiddenSize = \"wide\", Heads = Unknown.Name)] internal partial class Attention;");

        Assert.Empty(await Compilations.Analyze(compilation));
        Assert.Empty(Compilations.Generate(compilation).GeneratedSources);
        Assert.Equal(["CS0029", "CS0103"], compilation.GetDiagnostics().Where(static diagnostic => diagnostic.Severity == DiagnosticSeverity.Error).Select(static diagnostic => diagnostic.Id).Order());
    }

    [Fact]
    public async Task Structure_is_left_to_the_compiler()
    {
        CSharpCompilation compilation = Compilations.Create("[MlaGen.MlaAttention(HiddenSize = 256, Heads = 8)] internal partial struct Attention;");

        Assert.Empty(await Compilations.Analyze(compilation));
        Assert.Empty(Compilations.Generate(compilation).GeneratedSources);
        Assert.Contains(compilation.GetDiagnostics(), static diagnostic => diagnostic.Id == "CS0592");
    }

    [Fact]
    public async Task Attribute_of_the_same_name_elsewhere_is_none_of_ours()
        => Assert.Empty(await Compilations.Analyze(Compilations.Create("namespace Other; sealed class MlaAttentionAttribute : System.Attribute { } [MlaAttention] class Attention;")));

    [Theory]
    [InlineData(9, "System.Runtime 9.0")]
    [InlineData(8, "System.Runtime 8.0")]
    public async Task Target_framework_is_too_old(int version, string found)
    {
        CSharpCompilation compilation = Compilations.Create(Shapes.Source("Attention", Shapes.Story)).WithReferences(OtherFramework.References(version));

        Diagnostic diagnostic = Assert.Single(await Compilations.Analyze(compilation));
        Assert.Equal("MLA0017", diagnostic.Id);
        Assert.Equal($"The layer of class 'Attention' needs .NET 10 or later; this project is compiled against {found}", Text(diagnostic));
        Assert.Empty(Compilations.Generate(compilation).GeneratedSources);
    }

    [Fact]
    public async Task Newer_framework_is_welcome()
        => Assert.Empty(await Compilations.Analyze(Compilations.Create(Shapes.Source("Attention", Shapes.Story)).WithReferences(OtherFramework.References(11))));

    [Fact]
    public async Task Language_version_is_too_old()
    {
        SyntaxTree tree = CSharpSyntaxTree.ParseText(Shapes.Source("Attention", Shapes.Story), Compilations.ParseOptions.WithLanguageVersion(LanguageVersion.CSharp12));
        CSharpCompilation compilation = Compilations.Create().AddSyntaxTrees(tree);

        Diagnostic diagnostic = Assert.Single(await Compilations.Analyze(compilation));
        Assert.Equal("MLA0018", diagnostic.Id);
        Assert.Equal("The layer of class 'Attention' needs C# 14.0 or later; this project is compiled as C# 12.0: remove LangVersion from the project, whose default for net10.0 is 14.0, or set it to 14.0", Text(diagnostic));
        Assert.Empty(Compilations.Generate(compilation).GeneratedSources);
    }

    private static string Text(Diagnostic diagnostic) => diagnostic.GetMessage(System.Globalization.CultureInfo.InvariantCulture);

    private static Task VerifyAttribute(string attribute, params string[] messages)
        => Verify($"using MlaGen;\n[MlaAttention({attribute})]\npublic sealed partial class Attention;", messages);

    /// <summary>Checks ids and places through the markup, that #pragma silences each, then the messages, and that nothing is generated from what is wrong.</summary>
    private static async Task Verify(string markup, params string[] messages)
    {
        CSharpAnalyzerTest<MlaAttentionAnalyzer, DefaultVerifier> test = new()
        {
            TestCode = markup,
            ReferenceAssemblies = new ReferenceAssemblies("net10.0"),
            CompilerDiagnostics = CompilerDiagnostics.Errors,
        };
        test.TestState.AdditionalReferences.AddRange(Compilations.References);
        test.SolutionTransforms.Add(static (solution, project) => solution.WithProjectParseOptions(project, Compilations.ParseOptions));
        await test.RunAsync();

        TestFileMarkupParser.GetSpans(markup, out string source, out System.Collections.Immutable.ImmutableArray<Microsoft.CodeAnalysis.Text.TextSpan> _);
        CSharpCompilation compilation = Compilations.Create(source);
        Assert.Equal(messages, (await Compilations.Analyze(compilation)).Select(Text));
        Assert.Equal(messages.Length == 0, Compilations.Generate(compilation).GeneratedSources.Length > 0);
    }
}
