using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.Operations;

namespace MlaGen.Generator.CallSites;

/// <summary>Finds a loop over sequences that takes each through a step of its own.</summary>
[DiagnosticAnalyzer(LanguageNames.CSharp)]
public sealed class SequenceLoopAnalyzer() : CallSiteAnalyzer(CallSiteRules.SequenceLoop)
{
    private protected override void Register(CompilationStartAnalysisContext context, MlaSymbols symbols)
        => context.RegisterOperationAction(operation => Analyze(operation, symbols), OperationKind.Loop);

    private void Analyze(OperationAnalysisContext context, MlaSymbols symbols)
    {
        var loop = (ILoopOperation)context.Operation;
        IInvocationOperation[] calls = [.. loop.Body.Descendants().OfType<IInvocationOperation>()];
        IInvocationOperation[] adds = [.. calls.Where(call => call.TargetMethod.Name == "Add" && symbols.IsBatchMethod(call.TargetMethod))];
        if (adds is not [var add] || Enclosing(add) != loop || Batch(add.Instance) is not { } batch || !IsOfTheLoop(Argument(add), loop))
        {
            return;
        }

        bool isCommitted = calls.Any(call => call.TargetMethod.Name == "Commit" && symbols.IsBatchMethod(call.TargetMethod) && Same(Batch(call.Instance), batch));
        IInvocationOperation? forward = calls.FirstOrDefault(call => call.TargetMethod.Name == "Forward" && symbols.IsRun(call.TargetMethod) && Same(Batch(Argument(call)), batch));
        if (isCommitted && forward is not null)
        {
            context.ReportDiagnostic(Diagnostic.Create(Rule, forward.Syntax.GetLocation()));
        }
    }

    private static IOperation? Argument(IInvocationOperation call) => call.Arguments.FirstOrDefault(static argument => argument.Parameter?.Ordinal == 0)?.Value;

    /// <summary>The variable that a batch is in.</summary>
    private static ISymbol? Batch(IOperation? operation) => operation is null ? null : Locals.WithoutConversions(operation) switch
    {
        ILocalReferenceOperation local => local.Local,
        IParameterReferenceOperation parameter => parameter.Parameter,
        IFieldReferenceOperation { Instance: null or IInstanceReferenceOperation } field => field.Field,
        _ => null,
    };

    /// <summary>Whether a sequence is another one in each turn of a loop: the loop's variable, or the element at its counter.</summary>
    private static bool IsOfTheLoop(IOperation? sequence, ILoopOperation loop) => sequence switch
    {
        ILocalReferenceOperation { Local: var local } => loop is IForEachLoopOperation { LoopControlVariable: IVariableDeclaratorOperation variable } && Same(variable.Symbol, local),
        IArrayElementReferenceOperation { Indices: [var index] } => IsCounter(index, loop),
        IPropertyReferenceOperation { Property.IsIndexer: true, Arguments: [{ Value: var index }] } => IsCounter(index, loop),
        _ => false,
    };

    private static bool IsCounter(IOperation index, ILoopOperation loop)
        => loop is IForLoopOperation { Locals: [var counter] } && index is ILocalReferenceOperation reference && Same(reference.Local, counter);

    /// <summary>The loop that an operation is in directly.</summary>
    private static ILoopOperation? Enclosing(IOperation operation)
    {
        IOperation? parent = operation.Parent;
        while (parent is not (null or ILoopOperation or IAnonymousFunctionOperation or ILocalFunctionOperation))
        {
            parent = parent.Parent;
        }

        return parent as ILoopOperation;
    }

    private static bool Same(ISymbol? left, ISymbol? right) => SymbolEqualityComparer.Default.Equals(left, right);
}
