using System.Collections.Immutable;
using System.Text;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Text;
using MlaGen.Generator.Configs;
using MlaGen.Generator.Emission;
using MlaGen.Generator.Model;
using MlaGen.Generator.Parsing;
using MlaGen.Generator.Planning;

namespace MlaGen.Generator;

/// <summary>Completes every class that carries <c>[MlaAttention]</c>. What is wrong with one is reported by the analyzer; such a class is left out here.</summary>
[Generator(LanguageNames.CSharp)]
public sealed class MlaGenerator : IIncrementalGenerator
{
    /// <inheritdoc/>
    public void Initialize(IncrementalGeneratorInitializationContext context)
    {
        IncrementalValuesProvider<AttributeModel> attributes = context.SyntaxProvider
            .ForAttributeWithMetadataName(
                AttributeParser.MetadataName,
                static (node, _) => node is ClassDeclarationSyntax or RecordDeclarationSyntax,
                static (match, _) => AttributeParser.Parse((INamedTypeSymbol)match.TargetSymbol, match.Attributes[0], match.SemanticModel.Compilation))
            .Where(static model => model is not null)
            .Select(static (model, _) => model!)
            .WithTrackingName(StepNames.ParseAttribute);

        IncrementalValueProvider<EquatableArray<ConfigModel>> configs = context.AdditionalTextsProvider
            .Combine(context.AnalyzerConfigOptionsProvider)
            .Select(static (pair, cancellation) => ConfigReader.Read(pair.Left, pair.Right, cancellation))
            .Where(static config => config is not null)
            .Collect()
            .Select(static (models, _) => new EquatableArray<ConfigModel>(models.Select(static model => model!)))
            .WithTrackingName(StepNames.ParseConfig);

        IncrementalValuesProvider<MlaSpec> specs = attributes
            .Combine(configs)
            .Select(static (pair, _) => SpecResolver.Resolve(pair.Left, pair.Right))
            .Where(static spec => spec is not null)
            .Select(static (spec, _) => spec!)
            .WithTrackingName(StepNames.ResolveSpec);

        IncrementalValuesProvider<EquatableArray<EmittedFile>> classes = specs
            .Select(static (spec, _) => LayerPlan.Of(spec))
            .WithTrackingName(StepNames.PlanLayer)
            .Select(static (plan, _) => new EquatableArray<EmittedFile>(ClassEmitter.Emit(plan)))
            .WithTrackingName(StepNames.Output);

        IncrementalValuesProvider<EquatableArray<EmittedFile>> kernels = specs
            .Select(static (spec, _) => KernelShape.Of(spec.Dimensions))
            .Collect()
            .SelectMany(static (shapes, _) => shapes.Distinct().OrderBy(static shape => shape.Name, StringComparer.Ordinal))
            .WithTrackingName(StepNames.KernelShapes)
            .Select(static (shape, _) => KernelPlanner.Plan(shape))
            .WithTrackingName(StepNames.PlanKernels)
            .Select(static (plan, _) => new EquatableArray<EmittedFile>(KernelEmitter.Emit(plan)))
            .WithTrackingName(StepNames.KernelOutput);

        context.RegisterSourceOutput(classes, AddSources);
        context.RegisterSourceOutput(kernels, AddSources);
    }

    private static void AddSources(SourceProductionContext output, EquatableArray<EmittedFile> files)
    {
        foreach (EmittedFile file in files)
        {
            output.AddSource(file.HintName, SourceText.From(file.Text, Encoding.UTF8));
        }
    }
}
