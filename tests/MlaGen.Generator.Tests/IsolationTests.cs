using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.Diagnostics;
using MlaGen.Generator.Tests.Configs;
using MlaGen.Generator.Tests.Infrastructure;

namespace MlaGen.Generator.Tests;

/// <summary>What the generator itself reports: its own failures, and, in a build without analyzers, what they would have said.</summary>
public class IsolationTests
{
    private const string Two = """
        using MlaGen;
        namespace Models;
        [MlaAttention(HiddenSize = 64, Heads = 2)]
        internal sealed partial class Good;
        [MlaAttention(HiddenSize = 64, Heads = 3)]
        internal sealed partial class Bad;
        """;

    private static readonly GeneratorFunctions _real = new();

    /// <summary>Whatever a step does that is done for one class or one set of kernels, made to fail on one of them.</summary>
    private static readonly Dictionary<string, GeneratorFunctions> _failing = new()
    {
        [StepNames.ParseAttribute] = _real with { Parse = (type, attribute, compilation) => type.Name == "Bad" ? throw Broken() : _real.Parse(type, attribute, compilation) },
        [StepNames.ResolveSpec] = _real with { Resolve = (model, configs) => model.Target.Name == "Bad" ? throw Broken() : _real.Resolve(model, configs) },
        [StepNames.PlanLayer] = _real with { PlanLayer = spec => spec.Target.Name == "Bad" ? throw Broken() : _real.PlanLayer(spec) },
        [StepNames.PlanKernels] = _real with { PlanKernels = shape => shape.Heads == 3 ? throw Broken() : _real.PlanKernels(shape) },
        [StepNames.KernelOutput] = _real with { EmitKernels = plan => plan.Shape.Heads == 3 ? Breaking(_real.EmitKernels(plan)) : _real.EmitKernels(plan) },
        [StepNames.Output] = _real with { EmitClass = (plan, prefix) => plan.Spec.Target.Name == "Bad" ? Breaking(_real.EmitClass(plan, prefix)) : _real.EmitClass(plan, prefix) },
    };

    public static TheoryData<string> Failing => [.. _failing.Keys];

    /// <summary>Told once, at the class: also where it is the kernels that there are not, since a class without them would not compile.</summary>
    [Theory]
    [MemberData(nameof(Failing))]
    public void Failure_on_one_class_is_told_at_that_class_and_leaves_the_others_as_they_are(string step)
    {
        CSharpCompilation compilation = Compilations.Create(Two);
        GeneratorRunResult whole = Compilations.Generate(compilation);
        GeneratorRunResult result = Run(new MlaGenerator(_failing[step]), compilation);

        Assert.Null(result.Exception);
        Diagnostic failure = Assert.Single(result.Diagnostics);
        Assert.Equal(("MLA0029", DiagnosticSeverity.Error), (failure.Id, failure.Severity));
        Assert.Equal("Bad", failure.Location.SourceTree!.ToString().Substring(failure.Location.SourceSpan.Start, failure.Location.SourceSpan.Length));
        string message = failure.GetMessage(System.Globalization.CultureInfo.InvariantCulture);
        Assert.StartsWith("The generator failed on class 'Bad' and leaves it out: System.InvalidOperationException: the plan is broken at ", message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', message);

        // Kernels of a class that is left out compile by themselves.
        Assert.Equal(Texts(whole).Where(static file => !IsOfBad(file)), Texts(result).Where(static file => !IsOfBad(file)));
        Assert.DoesNotContain(Texts(result), static file => file.HintName.StartsWith("Models.Bad", StringComparison.Ordinal));
        Assert.Empty(compilation.With(result).GetDiagnostics().Where(static diagnostic => diagnostic.Severity == DiagnosticSeverity.Error));

        static bool IsOfBad((string HintName, string Text) file)
            => file.HintName.StartsWith("Models.Bad", StringComparison.Ordinal) || file.HintName.StartsWith("Kernels-Heads3", StringComparison.Ordinal);
    }

    [Fact]
    public void Failure_on_a_configuration_is_told_and_leaves_the_classes_that_do_not_use_it()
    {
        ConfigProject project = ConfigProject.Of("{}");
        GeneratorDriver driver = CSharpGeneratorDriver.Create([new MlaGenerator(_real with { ReadConfig = static (_, _, _) => throw Broken() }).AsSourceGenerator()], parseOptions: Compilations.ParseOptions)
            .AddAdditionalTexts(project.Options.AdditionalFiles)
            .WithUpdatedAnalyzerConfigOptions(project.Options.AnalyzerConfigOptionsProvider);
        GeneratorRunResult result = driver.RunGenerators(Compilations.Create(Two)).GetRunResult().Results.Single();

        Assert.Null(result.Exception);
        Assert.StartsWith("The generator failed on configuration ", Assert.Single(result.Diagnostics).GetMessage(System.Globalization.CultureInfo.InvariantCulture), StringComparison.Ordinal);
        Assert.Equal(Texts(Compilations.Generate(Compilations.Create(Two))), Texts(result));
    }

    [Fact]
    public void Failure_in_place_of_the_analyzers_is_told_and_leaves_all_classes()
    {
        GeneratorRunResult result = Run(new MlaGenerator(_real with { Diagnose = static (_, _, _, _) => throw Broken() }), Compilations.Create(Two), "RunAnalyzers=false");

        Assert.Null(result.Exception);
        Assert.StartsWith("The generator failed on the analysis ", Assert.Single(result.Diagnostics).GetMessage(System.Globalization.CultureInfo.InvariantCulture), StringComparison.Ordinal);
        Assert.Equal(Texts(Compilations.Generate(Compilations.Create(Two))), Texts(result));
    }

    /// <summary>Where a step is added that can fail, it stands above.</summary>
    [Fact]
    public void Every_function_of_the_generator_has_been_made_to_fail()
        => Assert.Equal(
            typeof(GeneratorFunctions).GetProperties(System.Reflection.BindingFlags.Public | System.Reflection.BindingFlags.Instance).Length,
            _failing.Count + 2);

    [Fact]
    public void Cancellation_is_no_failure()
    {
        using CancellationTokenSource cancellation = new();
        MlaGenerator generator = new(_real with
        {
            EmitClass = (_, _) =>
            {
                cancellation.Cancel();
                throw new OperationCanceledException(cancellation.Token);
            },
        });
        GeneratorDriver driver = CSharpGeneratorDriver.Create([generator.AsSourceGenerator()], parseOptions: Compilations.ParseOptions);

        Assert.Throws<OperationCanceledException>(() => driver.RunGenerators(Compilations.Create(Two), cancellation.Token));
    }

    [Fact]
    public void Failure_has_a_page()
        => Assert.StartsWith("# MLA0029: Generator failed\n", File.ReadAllText(Path.Combine(TestProject.Repository, "docs", "diagnostics", "MLA0029.md")), StringComparison.Ordinal);

    /// <summary>The same ids, places and words as the analyzers', once each.</summary>
    [Theory]
    [InlineData("RunAnalyzers=false")]
    [InlineData("RunAnalyzersDuringBuild=False")]
    [InlineData("IsImplicitlyTriggeredBuild=true")]
    [InlineData("IsImplicitlyTriggeredBuild=true;TreatWarningsAsErrors=true;OptimizeImplicitlyTriggeredBuild=true")]
    public async Task Build_without_analyzers_is_told_of_wrong_classes_all_the_same(string properties)
    {
        CSharpCompilation compilation = Compilations.Create(Mistakes);
        ImmutableArray<Diagnostic> expected = await Compilations.Analyze(compilation);
        GeneratorRunResult result = Run(new MlaGenerator(), compilation, properties);

        Assert.Equal(_mistakes, expected.Select(static diagnostic => diagnostic.Id).Order(StringComparer.Ordinal));
        Assert.Equal(expected.Select(static diagnostic => diagnostic.ToString()).Order(StringComparer.Ordinal), result.Diagnostics.Select(static diagnostic => diagnostic.ToString()).Order(StringComparer.Ordinal));
        Assert.Contains(result.GeneratedSources, static file => file.HintName == "Models.Good.g.cs");
    }

    [Theory]
    [InlineData("")]
    [InlineData("RunAnalyzers=true;RunAnalyzersDuringBuild=false")]
    [InlineData("RunAnalyzersDuringBuild=true")]
    [InlineData("IsImplicitlyTriggeredBuild=true;TreatWarningsAsErrors=true")]
    [InlineData("IsImplicitlyTriggeredBuild=true;OptimizeImplicitlyTriggeredBuild=false")]
    public void Build_with_analyzers_is_told_nothing_twice(string properties)
        => Assert.Empty(Run(new MlaGenerator(), Compilations.Create(Mistakes), properties).Diagnostics);

    [Theory]
    [InlineData("{ \"model_type\": ", "MLA0102")]
    [InlineData("{ \"model_type\": \"deepseek_v3\", \"hidden_size\": 64, \"kv_lora_rank\": 32 }", "MLA0110")]
    public void Build_without_analyzers_is_told_of_the_configuration_too(string json, string id)
    {
        ConfigProject project = ConfigProject.Of(json);
        GeneratorDriver driver = CSharpGeneratorDriver.Create([new MlaGenerator().AsSourceGenerator()], parseOptions: Compilations.ParseOptions)
            .AddAdditionalTexts(project.Options.AdditionalFiles)
            .WithUpdatedAnalyzerConfigOptions(new Properties("RunAnalyzers=false", project.Options.AnalyzerConfigOptionsProvider));

        ImmutableArray<Diagnostic> found = driver.RunGenerators(project.Compilation).GetRunResult().Diagnostics;
        Assert.Contains(found, diagnostic => diagnostic.Id == id && diagnostic.Location.GetLineSpan().Path == ConfigRun.Path);
        Assert.Equal(found.Select(static diagnostic => diagnostic.ToString()).Distinct().Count(), found.Length);
    }

    private const string Mistakes = """
        using MlaGen;
        namespace Models;
        [MlaAttention(HiddenSize = 64, Heads = 2)]
        internal sealed partial class Good;
        [MlaAttention(HiddenSize = 64)]
        internal sealed partial class Missing;
        [MlaAttention(HiddenSize = 64, Heads = -2)]
        internal sealed class Whole;
        [MlaAttention(HiddenSize = 64, Heads = 2)]
        internal sealed partial class Generic<T>;
        [MlaAttention(HiddenSize = 64, Heads = 2)]
        file sealed partial class Local;
        internal static partial class Outer<T> { [MlaAttention(HiddenSize = 64, Heads = 2)] internal sealed partial class Inner; }
        [MlaAttention("nowhere")]
        internal sealed partial class Unknown;
        [MlaAttention(HiddenSize = 64, Heads = 2)]
        internal sealed partial class Taken { public int Layer; }
        """;

    private static readonly string[] _mistakes = ["MLA0001", "MLA0002", "MLA0002", "MLA0004", "MLA0005", "MLA0006", "MLA0022", "MLA0100"];

    private static GeneratorRunResult Run(MlaGenerator generator, Compilation compilation, string properties = "")
        => CSharpGeneratorDriver.Create([generator.AsSourceGenerator()], parseOptions: Compilations.ParseOptions)
            .WithUpdatedAnalyzerConfigOptions(new Properties(properties, null))
            .RunGenerators(compilation)
            .GetRunResult()
            .Results
            .Single();

    private static InvalidOperationException Broken() => new("the plan\nis broken");

    /// <summary>Fails when some of it has been taken.</summary>
    private static IEnumerable<T> Breaking<T>(IEnumerable<T> items)
    {
        yield return items.First();
        throw Broken();
    }

    private static IEnumerable<(string HintName, string Text)> Texts(GeneratorRunResult result)
        => result.GeneratedSources.Select(static source => (source.HintName, source.SourceText.ToString()));

    /// <summary>Properties of the build, as the compiler sees those that are made visible to it.</summary>
    private sealed class Properties(string properties, AnalyzerConfigOptionsProvider? files) : AnalyzerConfigOptionsProvider
    {
        public override AnalyzerConfigOptions GlobalOptions { get; } = new Values(
            properties.Split(';', StringSplitOptions.RemoveEmptyEntries).Select(static pair => pair.Split('=')).ToDictionary(static pair => "build_property." + pair[0], static pair => pair[1]));

        public override AnalyzerConfigOptions GetOptions(SyntaxTree tree) => GlobalOptions;

        public override AnalyzerConfigOptions GetOptions(AdditionalText textFile) => files?.GetOptions(textFile) ?? GlobalOptions;
    }

    private sealed class Values(Dictionary<string, string> values) : AnalyzerConfigOptions
    {
        public override bool TryGetValue(string key, [NotNullWhen(true)] out string? value) => values.TryGetValue(key, out value);
    }
}
