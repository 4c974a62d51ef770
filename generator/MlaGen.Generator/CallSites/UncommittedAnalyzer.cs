using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.Operations;

namespace MlaGen.Generator.CallSites;

/// <summary>Finds a batch that is filled and run and never committed, in a body that it never leaves.</summary>
[DiagnosticAnalyzer(LanguageNames.CSharp)]
public sealed class UncommittedAnalyzer() : CallSiteAnalyzer(CallSiteRules.Uncommitted)
{
    private protected override void Register(CompilationStartAnalysisContext context, MlaSymbols symbols)
        => context.RegisterOperationAction(operation => Analyze(operation, symbols), OperationKind.VariableDeclarator);

    private void Analyze(OperationAnalysisContext context, MlaSymbols symbols)
    {
        var declarator = (IVariableDeclaratorOperation)context.Operation;
        if (declarator.GetVariableInitializer()?.Value is not { } value || !symbols.CreatesBatch(Locals.WithoutConversions(value)))
        {
            return;
        }

        Use[] uses = [.. Locals.References(Locals.Body(declarator), declarator.Symbol).Select(reference => Use.Of(reference, symbols))];
        IInvocationOperation? lastAdd = uses.LastOrDefault(static use => use is { Kind: UseKind.Add, Call.TargetMethod.Name: "Add" }).Call;
        IInvocationOperation? lastForward = uses.LastOrDefault(static use => use is { Kind: UseKind.Run, Call.TargetMethod.Name: "Forward" }).Call;

        // A rollback says that forgetting is meant.
        if (lastAdd is null || lastForward is null || uses.Any(static use => use.Kind is UseKind.Commit or UseKind.Rollback or UseKind.Escape))
        {
            return;
        }

        // For the fix: commit belongs behind the last layer's run, once for what was added.
        context.ReportDiagnostic(Diagnostic.Create(
            Rule,
            declarator.Symbol.Locations[0],
            [lastAdd.Syntax.GetLocation(), lastForward.Syntax.GetLocation()],
            declarator.Symbol.Name));
    }
}
