using System.Collections.Immutable;
using System.Text;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.Text;
using MlaGen.Generator.Configs;
using MlaGen.Generator.Diagnostics;
using MlaGen.Generator.Emission;
using MlaGen.Generator.Emission.Vectors;
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
    private readonly Func<LayerPlan, string, IEnumerable<EmittedFile>> _emit;

    /// <summary>Makes the generator.</summary>
    public MlaGenerator()
        : this(ClassEmitter.Emit)
    {
    }

    /// <param name="emit">Writes the files of a class, whose names begin as told.</param>
    internal MlaGenerator(Func<LayerPlan, string, IEnumerable<EmittedFile>> emit) => _emit = emit;

    /// <inheritdoc/>
    public void Initialize(IncrementalGeneratorInitializationContext context)
    {
        IncrementalValuesProvider<Attempt<AttributeModel>> attributes = context.SyntaxProvider
            .ForAttributeWithMetadataName(
                AttributeParser.MetadataName,
                static (node, _) => node is ClassDeclarationSyntax or RecordDeclarationSyntax,
                static (match, cancellation) => Parse(match, cancellation))
            .Where(static attempt => attempt is not null)
            .Select(static (attempt, _) => attempt!)
            .WithTrackingName(StepNames.ParseAttribute);

        IncrementalValueProvider<EquatableArray<Attempt<ConfigModel>>> configs = context.AdditionalTextsProvider
            .Combine(context.AnalyzerConfigOptionsProvider)
            .Select(static (pair, cancellation) => Attempt<ConfigModel>.Of($"configuration {pair.Left.Path}", null, () => ConfigReader.Read(pair.Left, pair.Right, cancellation)))
            .Where(static attempt => attempt != Attempt<ConfigModel>.Nothing)
            .Collect()
            .Select(static (attempts, _) => new EquatableArray<Attempt<ConfigModel>>(attempts))
            .WithTrackingName(StepNames.ParseConfig);

        IncrementalValuesProvider<Attempt<MlaSpec>> specs = attributes
            .Combine(configs.Select(static (attempts, _) => new EquatableArray<ConfigModel>(attempts.Where(static attempt => attempt.Value is not null).Select(static attempt => attempt.Value!))))
            .Select(static (pair, _) => pair.Left.Then(static model => model.Target, model => SpecResolver.Resolve(model, pair.Right)))
            .Where(static attempt => attempt != Attempt<MlaSpec>.Nothing)
            .WithTrackingName(StepNames.ResolveSpec);

        IncrementalValuesProvider<Attempt<LayerPlan>> layers = specs
            .Select(static (attempt, _) => attempt.Then(static spec => spec.Target, LayerPlan.Of))
            .WithTrackingName(StepNames.PlanLayer);

        // Of all classes, which need more than their names: nearly always none, so that a new class makes no other one new.
        IncrementalValueProvider<EquatableArray<string>> meeting = specs
            .Collect()
            .Select(static (attempts, _) => UniqueNames.Meeting(attempts.Where(static attempt => attempt.Value is not null).Select(static attempt => attempt.Value!.Target)));

        IncrementalValuesProvider<Attempt<EmittedFiles>> classes = layers
            .Combine(meeting)
            .Select((pair, _) => pair.Left.Then(static plan => plan.Spec.Target, plan => new EmittedFiles(new(_emit(plan, UniqueNames.FilePrefix(plan.Spec.Target, pair.Right))))))
            .WithTrackingName(StepNames.Output);

        IncrementalValuesProvider<Attempt<EmittedFiles>> kernels = layers
            .Where(static attempt => attempt.Value is not null)
            .Select(static (attempt, _) => attempt.Value!.Kernels)
            .Collect()
            .SelectMany(static (shapes, _) => shapes.Distinct())
            .WithTrackingName(StepNames.KernelShapes)
            .Select(static (shape, _) => KernelPlanner.Plan(shape))
            .WithTrackingName(StepNames.PlanKernels)
            .Select(static (plan, _) => Attempt<EmittedFiles>.Of($"kernels {plan.Shape.Name}", null, () => new EmittedFiles(new(KernelEmitter.Emit(plan)))))
            .WithTrackingName(StepNames.KernelOutput);

        context.RegisterSourceOutput(classes, AddSources);
        context.RegisterSourceOutput(kernels, AddSources);
        ReportFailures(context, classes.Select(static (attempt, _) => attempt.Failure), kernels.Select(static (attempt, _) => attempt.Failure), configs.SelectMany(static (attempts, _) => attempts.Select(static attempt => attempt.Failure)));
        ReportInPlaceOfAnalyzers(context, attributes);
    }

    private static void AddSources(SourceProductionContext output, Attempt<EmittedFiles> attempt)
    {
        foreach (EmittedFile file in attempt.Value?.Files ?? EquatableArray<EmittedFile>.Empty)
        {
            output.AddSource(file.HintName, SourceText.From(file.Text, Encoding.UTF8));
        }
    }

    /// <summary>A class by the first part that carries the attribute: a second one is an error of its own (CS0579), and would make all files twice.</summary>
    private static Attempt<AttributeModel>? Parse(GeneratorAttributeSyntaxContext match, CancellationToken cancellation)
    {
        var type = (INamedTypeSymbol)match.TargetSymbol;
        if (AttributeParser.Find(type) is not { } attribute || attribute.ApplicationSyntaxReference?.GetSyntax(cancellation).Parent?.Parent != match.TargetNode)
        {
            return null;
        }

        Attempt<AttributeModel> attempt = Attempt<AttributeModel>.Of(
            Failure.ClassOf(type.Name),
            AttributeParser.MetadataNameOf(type),
            () => AttributeParser.Parse(type, attribute, match.SemanticModel.Compilation));
        return attempt == Attempt<AttributeModel>.Nothing ? null : attempt;
    }

    private static void ReportFailures(IncrementalGeneratorInitializationContext context, params IncrementalValuesProvider<Failure?>[] sources)
    {
        foreach (IncrementalValuesProvider<Failure?> failures in sources)
        {
            context.RegisterSourceOutput(failures.Where(static failure => failure is not null).Combine(context.CompilationProvider), static (output, pair) =>
            {
                Location? place = pair.Left!.MetadataName is { } name ? pair.Right.Assembly.GetTypeByMetadataName(name)?.Locations[0] : null;
                output.ReportDiagnostic(Diagnostic.Create(GeneratorRules.Failed, place, pair.Left.Subject, pair.Left.Exception));
            });
        }
    }

    private static void ReportInPlaceOfAnalyzers(IncrementalGeneratorInitializationContext context, IncrementalValuesProvider<Attempt<AttributeModel>> attributes)
    {
        // Where analyzers run, no compilation goes on from here, and so no edit makes anything new.
        IncrementalValueProvider<(Compilation? Compilation, AnalyzerConfigOptionsProvider Options)> unanalyzed = context.CompilationProvider
            .Combine(context.AnalyzerConfigOptionsProvider)
            .Select(static (pair, _) => Substitute.IsNeeded(pair.Right.GlobalOptions) ? (pair.Left, pair.Right) : (null, pair.Right));

        context.RegisterSourceOutput(unanalyzed.Combine(attributes.Collect()).Combine(context.AdditionalTextsProvider.Collect()), static (output, input) =>
        {
            (((Compilation? compilation, AnalyzerConfigOptionsProvider options), ImmutableArray<Attempt<AttributeModel>> classes), ImmutableArray<AdditionalText> files) = input;
            if (compilation is null)
            {
                return;
            }

            IEnumerable<string> names = classes.Where(static attempt => attempt.Value is not null).Select(static attempt => attempt.Value!.MetadataName);
            foreach (Diagnostic diagnostic in Substitute.Diagnose(names, compilation, new AnalyzerOptions(files, options), output.CancellationToken))
            {
                output.ReportDiagnostic(diagnostic);
            }
        });
    }
}
