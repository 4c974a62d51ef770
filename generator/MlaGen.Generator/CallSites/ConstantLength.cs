using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Operations;

namespace MlaGen.Generator.CallSites;

/// <summary>How many elements an array, span or memory certainly has.</summary>
internal static class ConstantLength
{
    // Deeper than anyone writes; code with errors may refer to itself.
    private const int MaxDepth = 16;

    /// <summary>The number of elements, or null where it is not certain.</summary>
    public static long? Of(IOperation? operation) => Of(operation, MaxDepth) is { } length and >= 0 ? length : null;

    /// <summary>The value of an integer expression: a constant, or built from constants and locals that keep theirs.</summary>
    public static long? Value(IOperation? operation) => Value(operation, MaxDepth);

    private static long? Of(IOperation? operation, int depth)
    {
        if (operation is null || depth == 0)
        {
            return null;
        }

        // There is no operation for stackalloc, only syntax, with the size below it.
        if (operation.Syntax is StackAllocArrayCreationExpressionSyntax { Type: ArrayTypeSyntax { RankSpecifiers: [{ Sizes: [var size] }] } })
        {
            return Value(operation.DescendantsAndSelf().FirstOrDefault(candidate => candidate.Syntax == size), depth - 1);
        }

        return operation switch
        {
            IConversionOperation conversion => IsContiguous(conversion.Operand) ? Of(conversion.Operand, depth - 1) : null,
            IArrayCreationOperation { DimensionSizes: [var dimension] } => Value(dimension, depth - 1),
            ICollectionExpressionOperation list => list.Elements.Any(static element => element is ISpreadOperation) ? null : list.Elements.Length,
            ILocalReferenceOperation local => Of(Locals.OnlyValue(local), depth - 1),
            IPropertyReferenceOperation { Property: { Name: "Span", ContainingType.Name: "Memory" or "ReadOnlyMemory" }, Instance: { } memory } => Of(memory, depth - 1),
            IImplicitIndexerReferenceOperation { Argument: IRangeOperation range, Instance: { } sliced } => Range(range, sliced, depth - 1),
            IArrayElementReferenceOperation { Indices: [IRangeOperation range], ArrayReference: { } sliced } => Range(range, sliced, depth - 1),
            IInvocationOperation invocation => Slice(invocation, depth - 1),
            _ => null,
        };
    }

    private static long? Slice(IInvocationOperation invocation, int depth)
    {
        IMethodSymbol method = invocation.TargetMethod;
        (IOperation? source, int first) = method switch
        {
            { Name: "Slice", ContainingType.Name: "Span" or "ReadOnlySpan" or "Memory" or "ReadOnlyMemory", ContainingNamespace.Name: "System" } => (invocation.Instance, 0),
            { Name: "AsSpan" or "AsMemory", ContainingType: { Name: "MemoryExtensions", ContainingNamespace.Name: "System" } } => (Argument(invocation, 0), 1),
            _ => (null, 0),
        };
        if (source is null || !method.Parameters.Skip(first).All(static parameter => parameter.Type.SpecialType == SpecialType.System_Int32))
        {
            return null;
        }

        return (method.Parameters.Length - first) switch
        {
            0 => Of(source, depth),
            1 => Of(source, depth) - Value(Argument(invocation, first), depth),
            2 => Value(Argument(invocation, first + 1), depth),
            _ => null,
        };
    }

    private static IOperation? Argument(IInvocationOperation invocation, int ordinal)
        => invocation.Arguments.FirstOrDefault(argument => argument.Parameter?.Ordinal == ordinal)?.Value;

    private static long? Range(IRangeOperation range, IOperation sliced, int depth)
    {
        (long? start, bool startFromEnd) = range.LeftOperand is { } left ? End(left, depth) : (0, false);
        (long? end, bool endFromEnd) = range.RightOperand is { } right ? End(right, depth) : (0, true);
        if (startFromEnd == endFromEnd)
        {
            return endFromEnd ? start - end : end - start;
        }

        long? whole = Of(sliced, depth);
        return startFromEnd ? end - (whole - start) : whole - end - start;
    }

    private static (long? Value, bool FromEnd) End(IOperation operation, int depth)
    {
        // An int becomes an Index by a conversion of the user's kind.
        while (operation is IConversionOperation conversion)
        {
            operation = conversion.Operand;
        }

        return operation is IUnaryOperation { OperatorKind: UnaryOperatorKind.Hat } hat ? (Value(hat.Operand, depth), true) : (Value(operation, depth), false);
    }

    private static bool IsContiguous(IOperation operation)
        => operation.Syntax is StackAllocArrayCreationExpressionSyntax
            || operation is ICollectionExpressionOperation
            || operation.Type is IArrayTypeSymbol or { Name: "Span" or "ReadOnlySpan" or "Memory" or "ReadOnlyMemory", ContainingNamespace: { Name: "System", ContainingNamespace.IsGlobalNamespace: true } };

    private static long? Value(IOperation? operation, int depth)
    {
        if (operation is null || depth == 0)
        {
            return null;
        }

        if (operation.ConstantValue is { HasValue: true, Value: { } constant })
        {
            return constant switch
            {
                int value => value,
                long value => value,
                uint value => value,
                short value => value,
                byte value => value,
                _ => null,
            };
        }

        long? result = operation switch
        {
            ILocalReferenceOperation local => Value(Locals.OnlyValue(local), depth - 1),
            IConversionOperation { OperatorMethod: null, Conversion.IsNumeric: true, Type.SpecialType: SpecialType.System_Int32 or SpecialType.System_Int64 } conversion => Value(conversion.Operand, depth - 1),
            IBinaryOperation { OperatorMethod: null, OperatorKind: BinaryOperatorKind.Multiply } product => Value(product.LeftOperand, depth - 1) * Value(product.RightOperand, depth - 1),
            IBinaryOperation { OperatorMethod: null, OperatorKind: BinaryOperatorKind.Add } sum => Value(sum.LeftOperand, depth - 1) + Value(sum.RightOperand, depth - 1),
            IBinaryOperation { OperatorMethod: null, OperatorKind: BinaryOperatorKind.Subtract } difference => Value(difference.LeftOperand, depth - 1) - Value(difference.RightOperand, depth - 1),
            _ => null,
        };

        // What leaves the range of int wraps around or throws, depending on the project.
        return result is >= int.MinValue and <= int.MaxValue ? result : null;
    }
}
