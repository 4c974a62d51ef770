using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Diagnostics;
using MlaGen.Generator.Analyzers;
using MlaGen.Generator.Configs;
using MlaGen.Generator.Emission;
using MlaGen.Generator.Emission.Vectors;
using MlaGen.Generator.Model;
using MlaGen.Generator.Parsing;
using MlaGen.Generator.Planning;

namespace MlaGen.Generator;

/// <summary>What each step of the generator does: tests set one that fails in its place.</summary>
internal sealed record GeneratorFunctions
{
    public Func<INamedTypeSymbol, AttributeData, Compilation, AttributeModel?> Parse { get; init; } = AttributeParser.Parse;

    public Func<AdditionalText, AnalyzerConfigOptionsProvider, CancellationToken, ConfigModel?> ReadConfig { get; init; } = ConfigReader.Read;

    public Func<AttributeModel, EquatableArray<ConfigModel>, MlaSpec?> Resolve { get; init; } = SpecResolver.Resolve;

    public Func<MlaSpec, LayerPlan> PlanLayer { get; init; } = LayerPlan.Of;

    public Func<KernelShape, KernelPlan> PlanKernels { get; init; } = KernelPlanner.Plan;

    public Func<KernelPlan, IEnumerable<EmittedFile>> EmitKernels { get; init; } = KernelEmitter.Emit;

    /// <summary>Writes the files of a class, whose names begin as told.</summary>
    public Func<LayerPlan, string, IEnumerable<EmittedFile>> EmitClass { get; init; } = ClassEmitter.Emit;

    /// <summary>What the analyzers would say of classes, by their metadata names.</summary>
    public Func<IEnumerable<string>, Compilation, AnalyzerOptions, CancellationToken, IEnumerable<Diagnostic>> Diagnose { get; init; } = Substitute.Diagnose;
}
