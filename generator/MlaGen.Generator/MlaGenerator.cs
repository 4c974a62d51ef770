using System.Collections.Immutable;
using System.Text;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.Text;
using MlaGen.Generator.Analyzers;
using MlaGen.Generator.Emission;
using MlaGen.Generator.Model;
using MlaGen.Generator.Parsing;
using MlaGen.Generator.Planning;

namespace MlaGen.Generator;

/// <summary>
/// Completes every class that carries <c>[MlaAttention]</c>. What is wrong with one is reported by the analyzer; such a class is left out here, and so is
/// one on which the generator itself fails: no class takes another with it.
/// </summary>
[Generator(LanguageNames.CSharp)]
public sealed class MlaGenerator : IIncrementalGenerator
{
    private readonly GeneratorFunctions _functions;

    /// <summary>Makes the generator.</summary>
    public MlaGenerator()
        : this(new GeneratorFunctions())
    {
    }

    /// <param name="functions">What its steps do.</param>
    internal MlaGenerator(GeneratorFunctions functions) => _functions = functions;

    /// <inheritdoc/>
    public void Initialize(IncrementalGeneratorInitializationContext context)
    {
        IncrementalValuesProvider<Attempt<AttributeModel>> attributes = context.SyntaxProvider
            .ForAttributeWithMetadataName(
                AttributeParser.MetadataName,
                static (node, _) => node is ClassDeclarationSyntax or RecordDeclarationSyntax,
                (match, cancellation) => Parse(match, cancellation))
            .Where(static attempt => attempt != Attempt<AttributeModel>.Nothing)
            .WithTrackingName(StepNames.ParseAttribute);

        IncrementalValueProvider<EquatableArray<Attempt<ConfigModel>>> configs = context.AdditionalTextsProvider
            .Combine(context.AnalyzerConfigOptionsProvider)
            .Select((pair, cancellation) => Attempt<ConfigModel>.Of($"configuration {pair.Left.Path}", null, () => _functions.ReadConfig(pair.Left, pair.Right, cancellation)))
            .Where(static attempt => attempt != Attempt<ConfigModel>.Nothing)
            .Collect()
            .Select(static (attempts, _) => new EquatableArray<Attempt<ConfigModel>>(attempts))
            .WithTrackingName(StepNames.ParseConfig);

        IncrementalValuesProvider<Attempt<MlaSpec>> specs = attributes
            .Combine(configs.Select(static (attempts, _) => new EquatableArray<ConfigModel>(attempts.Where(static attempt => attempt.Value is not null).Select(static attempt => attempt.Value!))))
            .Select((pair, _) => pair.Left.Then(static model => model.Target, model => _functions.Resolve(model, pair.Right)))
            .Where(static attempt => attempt != Attempt<MlaSpec>.Nothing)
            .WithTrackingName(StepNames.ResolveSpec);

        IncrementalValuesProvider<Attempt<LayerPlan>> layers = specs
            .Select((attempt, _) => attempt.Then(static spec => spec.Target, _functions.PlanLayer))
            .WithTrackingName(StepNames.PlanLayer);

        IncrementalValuesProvider<Attempt<EmittedFiles>> kernels = layers
            .Where(static attempt => attempt.Value is not null)
            .Select(static (attempt, _) => attempt.Value!.Kernels)
            .Collect()
            .SelectMany(static (shapes, _) => shapes.Distinct())
            .WithTrackingName(StepNames.KernelShapes)
            .Select((shape, _) => Attempt<KernelPlan>.Of(Failure.KernelsOf(shape), null, () => _functions.PlanKernels(shape)))
            .WithTrackingName(StepNames.PlanKernels)
            .Select((attempt, _) => attempt.Then(static plan => Failure.KernelsOf(plan.Shape), static _ => null, plan => new EmittedFiles(new(_functions.EmitKernels(plan)))))
            .WithTrackingName(StepNames.KernelOutput);

        // Of all kernels, those that there are not: nearly always none, so that new kernels make no class new.
        IncrementalValueProvider<EquatableArray<Failure>> withoutKernels = kernels
            .Collect()
            .Select(static (attempts, _) => new EquatableArray<Failure>(attempts.Where(static attempt => attempt.Failure is not null).Select(static attempt => attempt.Failure!)));

        // Of all classes, which need more than their names: nearly always none, so that a new class makes no other one new.
        IncrementalValueProvider<EquatableArray<string>> meeting = specs
            .Collect()
            .Select(static (attempts, _) => UniqueNames.Meeting(attempts.Where(static attempt => attempt.Value is not null).Select(static attempt => attempt.Value!.Target)));

        IncrementalValuesProvider<Attempt<EmittedFiles>> classes = layers
            .Combine(withoutKernels)
            .Select(static (pair, _) => WithKernels(pair.Left, pair.Right))
            .Combine(meeting)
            .Select((pair, _) => pair.Left.Then(static plan => plan.Spec.Target, plan => new EmittedFiles(new(_functions.EmitClass(plan, UniqueNames.FilePrefix(plan.Spec.Target, pair.Right))))))
            .WithTrackingName(StepNames.Output);

        context.RegisterSourceOutput(classes, AddSources);
        context.RegisterSourceOutput(kernels, AddSources);
        ReportFailures(context, classes.Select(static (attempt, _) => attempt.Failure), configs.SelectMany(static (attempts, _) => attempts.Select(static attempt => attempt.Failure)));
        ReportInPlaceOfAnalyzers(context, attributes);
    }

    /// <summary>A class whose kernels there are not would not compile: it is left out with them, and the failure is told at the class.</summary>
    private static Attempt<LayerPlan> WithKernels(Attempt<LayerPlan> layer, EquatableArray<Failure> withoutKernels)
        => layer.Value is { } plan && withoutKernels.FirstOrDefault(failure => failure.Subject == Failure.KernelsOf(plan.Kernels)) is { } failure
            ? new(null, failure with { Subject = Failure.ClassOf(plan.Spec.Target.Name), MetadataName = plan.Spec.Target.MetadataName })
            : layer;

    private static void AddSources(SourceProductionContext output, Attempt<EmittedFiles> attempt)
    {
        foreach (EmittedFile file in attempt.Value?.Files ?? EquatableArray<EmittedFile>.Empty)
        {
            output.AddSource(file.HintName, SourceText.From(file.Text, Encoding.UTF8));
        }
    }

    /// <summary>A class by the first part that carries the attribute: a second one is an error of its own (CS0579), and would make all files twice.</summary>
    private Attempt<AttributeModel> Parse(GeneratorAttributeSyntaxContext match, CancellationToken cancellation)
    {
        var type = (INamedTypeSymbol)match.TargetSymbol;
        return Attempt<AttributeModel>.Of(
            Failure.ClassOf(type.Name),
            DeclarationParser.MetadataName(type),
            () => AttributeParser.Find(type) is { } attribute && attribute.ApplicationSyntaxReference?.GetSyntax(cancellation).Parent?.Parent == match.TargetNode
                ? _functions.Parse(type, attribute, match.SemanticModel.Compilation)
                : null);
    }

    private static void ReportFailures(IncrementalGeneratorInitializationContext context, params IncrementalValuesProvider<Failure?>[] sources)
    {
        foreach (IncrementalValuesProvider<Failure?> failures in sources)
        {
            context.RegisterSourceOutput(failures.Where(static failure => failure is not null).Combine(context.CompilationProvider), static (output, pair) =>
            {
                Location? place = pair.Left!.MetadataName is { } name ? pair.Right.Assembly.GetTypeByMetadataName(name)?.Locations[0] : null;
                output.ReportDiagnostic(pair.Left.ToDiagnostic(place));
            });
        }
    }

    private void ReportInPlaceOfAnalyzers(IncrementalGeneratorInitializationContext context, IncrementalValuesProvider<Attempt<AttributeModel>> attributes)
    {
        // Where analyzers run, no compilation goes on from here, and so no edit makes anything new.
        IncrementalValueProvider<(Compilation? Compilation, AnalyzerConfigOptionsProvider Options)> unanalyzed = context.CompilationProvider
            .Combine(context.AnalyzerConfigOptionsProvider)
            .Select(static (pair, _) => Substitute.IsNeeded(pair.Right.GlobalOptions) ? (pair.Left, pair.Right) : (null, pair.Right));

        context.RegisterSourceOutput(unanalyzed.Combine(attributes.Collect()).Combine(context.AdditionalTextsProvider.Collect()), (output, input) =>
        {
            (((Compilation? compilation, AnalyzerConfigOptionsProvider options), ImmutableArray<Attempt<AttributeModel>> classes), ImmutableArray<AdditionalText> files) = input;
            if (compilation is null)
            {
                return;
            }

            IEnumerable<string> names = classes.Where(static attempt => attempt.Value is not null).Select(static attempt => attempt.Value!.Target.MetadataName);
            Attempt<Diagnostic[]> told = Attempt<Diagnostic[]>.Of("the analysis", null, () => [.. _functions.Diagnose(names, compilation, new AnalyzerOptions(files, options), output.CancellationToken)]);
            foreach (Diagnostic diagnostic in told.Value ?? [told.Failure!.ToDiagnostic(null)])
            {
                output.ReportDiagnostic(diagnostic);
            }
        });
    }
}
