using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Operations;

namespace MlaGen.Generator.CallSites;

/// <summary>How many rows a batch certainly has, where the same body makes it and adds to it in a straight line.</summary>
internal static class CertainRows
{
    /// <summary>The rows of a batch when a call runs a layer on it, or null where they are not certain.</summary>
    public static long? At(IInvocationOperation call, ILocalReferenceOperation batch, MlaSymbols symbols)
    {
        IOperation body = Locals.Body(call);
        if (!symbols.CreatesBatch(Unwrapped(Locals.OnlyValue(batch)))
            || Locals.Declarator(body, batch.Local) is not { } declarator
            || Home(declarator) is not { } home
            || Statement(call, home) is not { } statement
            || body.Descendants().Any(static operation => operation is IBranchOperation { BranchKind: BranchKind.GoTo }))
        {
            return null;
        }

        long rows = 0;
        foreach (ILocalReferenceOperation reference in Locals.References(body, batch.Local))
        {
            var use = Use.Of(reference, symbols);
            if (use.Kind == UseKind.Escape || Statement(reference, home) is not { } place)
            {
                return null;
            }

            if (use.Kind is UseKind.Read or UseKind.Run || place.Syntax.SpanStart > statement.Syntax.SpanStart)
            {
                continue;
            }

            // In a loop, what is written after the call may happen before it.
            if (!IsStraight(reference, home))
            {
                return null;
            }

            if (reference.Syntax.SpanStart > call.Syntax.SpanStart)
            {
                continue;
            }

            if (use.Kind != UseKind.Add)
            {
                rows = 0;
            }
            else if (use.Call!.Arguments.FirstOrDefault(static argument => argument.Parameter?.Ordinal == 1) is { } count && ConstantLength.Value(count.Value) is { } tokens and > 0)
            {
                rows += tokens;
            }
            else
            {
                return null;
            }
        }

        return rows > 0 ? rows : null;
    }

    private static IOperation? Unwrapped(IOperation? operation) => operation is null ? null : Locals.WithoutConversions(operation);

    /// <summary>The block in which a local lives: its operations run once for each batch that is made.</summary>
    private static IBlockOperation? Home(IVariableDeclaratorOperation declarator)
    {
        for (IOperation? operation = declarator.Parent; operation is not null; operation = operation.Parent)
        {
            switch (operation)
            {
                case IVariableDeclarationOperation or IVariableDeclarationGroupOperation or IUsingDeclarationOperation:
                    break;
                case IUsingOperation { Body: IBlockOperation scope }:
                    return scope;
                default:
                    return operation as IBlockOperation;
            }
        }

        return null;
    }

    /// <summary>The statement of a block that an operation is in; null for one elsewhere, or in a function that may run at another time.</summary>
    private static IOperation? Statement(IOperation operation, IBlockOperation block)
    {
        while (operation.Parent != block)
        {
            if (operation.Parent is null or IAnonymousFunctionOperation or ILocalFunctionOperation)
            {
                return null;
            }

            operation = operation.Parent;
        }

        return operation;
    }

    /// <summary>Whether an operation runs exactly once, in its turn, whenever its block does.</summary>
    private static bool IsStraight(IOperation operation, IBlockOperation block)
    {
        for (IOperation? parent = operation.Parent; parent is not null && parent != block; parent = parent.Parent)
        {
            bool isPlain = parent is IInvocationOperation or IArgumentOperation or IConversionOperation or ISimpleAssignmentOperation or IExpressionStatementOperation
                or IVariableInitializerOperation or IVariableDeclaratorOperation or IVariableDeclarationOperation or IVariableDeclarationGroupOperation
                or IUsingDeclarationOperation or IUsingOperation or IBlockOperation;
            if (!isPlain)
            {
                return false;
            }
        }

        return true;
    }
}
