using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Operations;

namespace MlaGen.Generator.CallSites;

/// <summary>What is certain about a local variable from the body it stands in.</summary>
internal static class Locals
{
    /// <summary>The whole body an operation stands in, lambdas and local functions included.</summary>
    public static IOperation Body(IOperation operation)
    {
        while (operation.Parent is { } parent)
        {
            operation = parent;
        }

        return operation;
    }

    /// <summary>Every mention of a local, in the order of the source.</summary>
    public static IEnumerable<ILocalReferenceOperation> References(IOperation body, ILocalSymbol local)
        => body.DescendantsAndSelf().OfType<ILocalReferenceOperation>().Where(reference => SymbolEqualityComparer.Default.Equals(reference.Local, local));

    /// <summary>Where a local is declared, or null where a pattern or an argument declares it.</summary>
    public static IVariableDeclaratorOperation? Declarator(IOperation body, ILocalSymbol local)
        => body.Descendants().OfType<IVariableDeclaratorOperation>().FirstOrDefault(declarator => SymbolEqualityComparer.Default.Equals(declarator.Symbol, local));

    /// <summary>The value that a local has wherever it is read, or null if it may be given another.</summary>
    public static IOperation? OnlyValue(ILocalReferenceOperation reference)
    {
        if (reference.Local.RefKind != RefKind.None)
        {
            return null;
        }

        IOperation body = Body(reference);
        return References(body, reference.Local).All(IsRead) ? Declarator(body, reference.Local)?.GetVariableInitializer()?.Value : null;
    }

    /// <summary>An operation without the conversions around it that keep the object.</summary>
    public static IOperation WithoutConversions(IOperation operation)
    {
        while (operation is IConversionOperation { OperatorMethod: null } conversion)
        {
            operation = conversion.Operand;
        }

        return operation;
    }

    private static bool IsRead(ILocalReferenceOperation reference)
    {
        if (reference.Syntax.Parent is RefExpressionSyntax)
        {
            return false;
        }

        IOperation operation = reference;
        while (operation.Parent is ITupleOperation tuple)
        {
            operation = tuple;
        }

        return operation.Parent switch
        {
            IAssignmentOperation assignment => assignment.Target != operation,
            IIncrementOrDecrementOperation or IAddressOfOperation => false,
            IArgumentOperation { Parameter.RefKind: RefKind.Ref or RefKind.Out } => false,
            _ => true,
        };
    }
}
