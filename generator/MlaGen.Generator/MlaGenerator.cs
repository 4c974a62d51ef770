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

        IncrementalValuesProvider<KernelPlan> plans = specs
            .Select(static (spec, _) => KernelPlanner.Plan(spec))
            .WithTrackingName(StepNames.PlanKernels);

        IncrementalValuesProvider<EquatableArray<EmittedFile>> files = plans
            .Select(static (plan, _) => new EquatableArray<EmittedFile>(ClassEmitter.Emit(plan).Select(static file => new EmittedFile(file.HintName, file.Text))))
            .WithTrackingName(StepNames.Output);

        context.RegisterSourceOutput(files, static (output, emitted) =>
        {
            foreach (EmittedFile file in emitted)
            {
                output.AddSource(file.HintName, SourceText.From(file.Text, Encoding.UTF8));
            }
        });
    }
}
