using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Operations;

namespace MlaGen.Generator.CallSites;

/// <summary>The runtime's types in one compilation, and what is recognised by them.</summary>
internal sealed class MlaSymbols
{
    private readonly INamedTypeSymbol _attention;
    private readonly INamedTypeSymbol _batch;
    private readonly INamedTypeSymbol _batchOf;
    private readonly INamedTypeSymbol _cache;
    private readonly INamedTypeSymbol _sequence;

    private MlaSymbols(INamedTypeSymbol attention, INamedTypeSymbol batch, INamedTypeSymbol batchOf, INamedTypeSymbol cache, INamedTypeSymbol sequence)
    {
        _attention = attention;
        _batch = batch;
        _batchOf = batchOf;
        _cache = cache;
        _sequence = sequence;
    }

    /// <summary>The symbols, or null in a project without the runtime, where there is nothing to look for.</summary>
    public static MlaSymbols? Find(Compilation compilation)
        => compilation.GetTypeByMetadataName("MlaGen.IMlaAttention`1") is { } attention
            && compilation.GetTypeByMetadataName("MlaGen.MlaBatch") is { } batch
            && compilation.GetTypeByMetadataName("MlaGen.MlaBatch`1") is { } batchOf
            && compilation.GetTypeByMetadataName("MlaGen.LatentCache`1") is { } cache
            && compilation.GetTypeByMetadataName("MlaGen.LatentSequence") is { } sequence
                ? new MlaSymbols(attention, batch, batchOf, cache, sequence)
                : null;

    /// <summary>Whether a type is a layer's class.</summary>
    public bool IsGenerated(INamedTypeSymbol? type)
        => type is { TypeKind: TypeKind.Class }
            && type.AllInterfaces.Any(face => Same(face.OriginalDefinition, _attention) && Same(face.TypeArguments[0], type));

    /// <summary>Whether a type holds weights of a generated class: one projection, or all that a layer has.</summary>
    public bool IsWeights(ITypeSymbol? type) => type is INamedTypeSymbol { IsSealed: true, ContainingType: { } owner } weights
        && (weights.Name == "Weights" || weights.BaseType is { Name: "Projection" or "NormWeight", ContainingNamespace: { Name: "Runtime", ContainingNamespace.Name: "MlaGen" } })
        && IsGenerated(owner);

    /// <summary>Whether a call runs a layer, or a part of one, on a batch.</summary>
    public bool IsRun(IMethodSymbol method)
        => method is { Name: "Forward" or "AttendLatent" or "AppendLatent" or "ProjectLatent" or "ProjectOutput", Parameters: [{ Type: INamedTypeSymbol batch }, ..] }
            && Same(batch.OriginalDefinition, _batchOf)
            && IsGenerated(method.ContainingType);

    /// <summary>Whether a method is one of the batch's own.</summary>
    public bool IsBatchMethod(IMethodSymbol method) => Same(method.ContainingType, _batch);

    /// <summary>Whether calling a method of a thing lets no reference to it get away.</summary>
    public bool IsOwnMember(ISymbol member)
    {
        INamedTypeSymbol type = member.ContainingType.OriginalDefinition;
        return Same(type, _batch) || Same(type, _batchOf) || Same(type, _cache) || Same(type, _sequence) || type.SpecialType is SpecialType.System_IDisposable or SpecialType.System_Object;
    }

    /// <summary>Whether an operation makes a batch.</summary>
    public bool CreatesBatch(IOperation? operation)
        => operation is IInvocationOperation { TargetMethod: { Name: "CreateBatch" } method } && Same(method.ContainingType.OriginalDefinition, _cache);

    /// <summary>What a fresh object of these types keeps until it is disposed, or null for an operation that makes none.</summary>
    public string? Keeps(IOperation operation) => operation switch
    {
        IInvocationOperation { TargetMethod: { Name: "CreateSequence" } method } when Same(method.ContainingType.OriginalDefinition, _cache) => SequenceKeeps,
        IInvocationOperation { TargetMethod: { Name: "Fork" } method } when Same(method.ContainingType, _sequence) => SequenceKeeps,
        IInvocationOperation when CreatesBatch(operation) => "its working memory is kept, and a step that is not committed stays open",
        IInvocationOperation { TargetMethod: { Name: "CreateCache", IsStatic: true } method } when IsGenerated(method.ContainingType) => CacheKeeps,
        IObjectCreationOperation { Constructor: { } constructor } when Same(constructor.ContainingType.OriginalDefinition, _cache) => CacheKeeps,
        _ => null,
    };

    private const string CacheKeeps = "its pages are kept";

    private const string SequenceKeeps = "its pages are lost to other sequences of the cache";

    /// <summary>The value of a constant of a generated type.</summary>
    public static long? Constant(INamedTypeSymbol type, string name)
        => type.GetMembers(name) is [IFieldSymbol { HasConstantValue: true, ConstantValue: int value }] ? value : null;

    private static bool Same(ISymbol? left, ISymbol? right) => SymbolEqualityComparer.Default.Equals(left, right);
}
