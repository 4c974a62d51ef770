using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Operations;

namespace MlaGen.Generator.CallSites;

/// <summary>What code does with a cache, a sequence or a batch where it mentions it.</summary>
internal enum UseKind
{
    /// <summary>Something that leaves it as it is and keeps no reference to it.</summary>
    Read,

    /// <summary>Adds a sequence to it, a batch.</summary>
    Add,

    /// <summary>Runs a layer on it, a batch.</summary>
    Run,

    Commit,

    Rollback,

    Dispose,

    /// <summary>Anything else: it may be kept, or disposed, or changed, out of sight.</summary>
    Escape,
}

/// <summary>One use, with the call that it is, if it is one.</summary>
internal readonly record struct Use(UseKind Kind, IInvocationOperation? Call = null)
{
    public static Use Of(IOperation operation, MlaSymbols symbols)
    {
        while (operation.Parent is IConversionOperation { OperatorMethod: null, IsTryCast: false } conversion)
        {
            operation = conversion;
        }

        return operation.Parent switch
        {
            IInvocationOperation call when call.Instance == operation && symbols.IsOwnMember(call.TargetMethod) => new Use(KindOf(call.TargetMethod.Name), call),
            IPropertyReferenceOperation property when property.Instance == operation && symbols.IsOwnMember(property.Property) => new Use(UseKind.Read),
            IArgumentOperation { Parent: IInvocationOperation call } when symbols.IsRun(call.TargetMethod) => new Use(UseKind.Run, call),
            IArgumentOperation { Parent: IInvocationOperation { TargetMethod: { Name: "Add" or "AddQueries" } method } } when symbols.IsBatchMethod(method) => new Use(UseKind.Read),
            ISimpleAssignmentOperation assignment when assignment.Target == operation || assignment.Target is IDiscardOperation => new Use(UseKind.Read),
            IConditionalAccessOperation { WhenNotNull: IInvocationOperation { TargetMethod.Name: "Dispose" } call } access when access.Operation == operation => new Use(UseKind.Dispose, call),
            IUsingOperation scope when scope.Resources == operation => new Use(UseKind.Dispose),
            IExpressionStatementOperation => new Use(UseKind.Read),
            _ => new Use(UseKind.Escape),
        };
    }

    private static UseKind KindOf(string method) => method switch
    {
        "Add" or "AddQueries" => UseKind.Add,
        "Commit" => UseKind.Commit,
        "Rollback" => UseKind.Rollback,
        "Dispose" => UseKind.Dispose,
        _ => UseKind.Read,
    };
}
