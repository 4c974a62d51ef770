using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.Operations;

namespace MlaGen.Generator.CallSites;

/// <summary>Finds a cache, sequence or batch that is made in a body, never leaves it, and is never disposed there.</summary>
[DiagnosticAnalyzer(LanguageNames.CSharp)]
public sealed class UndisposedAnalyzer() : CallSiteAnalyzer(CallSiteRules.Undisposed)
{
    private protected override void Register(CompilationStartAnalysisContext context, MlaSymbols symbols)
        => context.RegisterOperationAction(operation => Analyze(operation, symbols), OperationKind.Invocation, OperationKind.ObjectCreation);

    private void Analyze(OperationAnalysisContext context, MlaSymbols symbols)
    {
        IOperation creation = context.Operation;
        if (symbols.Keeps(creation) is { } loss && IsForgotten(creation, symbols))
        {
            context.ReportDiagnostic(Diagnostic.Create(Rule, creation.Syntax.GetLocation(), creation.Type!.Name, loss));
        }
    }

    private static bool IsForgotten(IOperation creation, MlaSymbols symbols)
    {
        IOperation value = creation;
        while (value.Parent is IConversionOperation { OperatorMethod: null } conversion)
        {
            value = conversion;
        }

        switch (value.Parent)
        {
            case IVariableInitializerOperation { Parent: IVariableDeclaratorOperation { Symbol: { IsUsing: false, RefKind: RefKind.None } local } declarator }:
                return !IsResource(declarator) && IsForgotten(Locals.Body(creation), local, symbols);
            case ISimpleAssignmentOperation { Target: ILocalReferenceOperation { Local.RefKind: RefKind.None } target, Parent: IExpressionStatementOperation }:
                return IsForgotten(Locals.Body(creation), target.Local, symbols);
            default:
                return Use.Of(value, symbols).Kind is not (UseKind.Dispose or UseKind.Escape);
        }
    }

    private static bool IsForgotten(IOperation body, ILocalSymbol local, MlaSymbols symbols)
        => Locals.References(body, local).All(reference => Use.Of(reference, symbols).Kind is not (UseKind.Dispose or UseKind.Escape));

    /// <summary>Whether a declaration stands in the head of a <c>using</c> statement.</summary>
    private static bool IsResource(IVariableDeclaratorOperation declarator)
        => declarator.Parent?.Parent is IVariableDeclarationGroupOperation { Parent: IUsingOperation or IUsingDeclarationOperation };
}
