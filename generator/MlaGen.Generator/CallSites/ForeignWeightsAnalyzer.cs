using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.Operations;

namespace MlaGen.Generator.CallSites;

/// <summary>Finds weights of one type that a cast, or <c>Unsafe.As</c>, takes for those of another.</summary>
[DiagnosticAnalyzer(LanguageNames.CSharp)]
public sealed class ForeignWeightsAnalyzer() : CallSiteAnalyzer(CallSiteRules.ForeignWeights)
{
    private const int MaxDepth = 16;

    private protected override void Register(CompilationStartAnalysisContext context, MlaSymbols symbols)
    {
        context.RegisterOperationAction(operation => AnalyzeCast(operation, symbols), OperationKind.Conversion);
        context.RegisterOperationAction(operation => AnalyzeUnsafeAs(operation, symbols), OperationKind.Invocation);
    }

    private void AnalyzeCast(OperationAnalysisContext context, MlaSymbols symbols)
    {
        // Where there is no conversion at all, the compiler says so.
        if (context.Operation is IConversionOperation { IsImplicit: false, OperatorMethod: null, Conversion.Exists: true, Type: { } target } cast && symbols.IsWeights(target))
        {
            Check(context, cast.Operand, target, symbols);
        }
    }

    private void AnalyzeUnsafeAs(OperationAnalysisContext context, MlaSymbols symbols)
    {
        if (context.Operation is IInvocationOperation
            {
                TargetMethod: { Name: "As", TypeArguments: [{ } target], ContainingType: { Name: "Unsafe", ContainingNamespace.Name: "CompilerServices" } },
                Arguments: [{ Value: { } operand }],
            }
            && symbols.IsWeights(target))
        {
            Check(context, operand, target, symbols);
        }
    }

    private void Check(OperationAnalysisContext context, IOperation operand, ITypeSymbol target, MlaSymbols symbols)
    {
        // Weights are sealed: an expression of their type is that type, or null.
        ITypeSymbol? source = CertainType(operand);
        if (symbols.IsWeights(source) && !SymbolEqualityComparer.Default.Equals(source, target))
        {
            context.ReportDiagnostic(Diagnostic.Create(Rule, context.Operation.Syntax.GetLocation(), Name(source!), Name(target)));
        }
    }

    private static ITypeSymbol? CertainType(IOperation operation)
    {
        for (int depth = 0; depth < MaxDepth; depth++)
        {
            operation = Locals.WithoutConversions(operation);
            if (operation is not ILocalReferenceOperation { Type.SpecialType: SpecialType.System_Object } local || Locals.OnlyValue(local) is not { } value)
            {
                return operation.Type;
            }

            operation = value;
        }

        return null;
    }

    private static string Name(ITypeSymbol weights) => $"{weights.ContainingType.Name}.{weights.Name}";
}
