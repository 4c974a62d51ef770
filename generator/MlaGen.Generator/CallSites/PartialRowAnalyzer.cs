using System.Globalization;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.Operations;
using MlaGen.Generator.Diagnostics;

namespace MlaGen.Generator.CallSites;

/// <summary>Finds a span whose length no number of rows has.</summary>
[DiagnosticAnalyzer(LanguageNames.CSharp)]
public sealed class PartialRowAnalyzer() : CallSiteAnalyzer(CallSiteRules.PartialRow)
{
    private protected override void Register(CompilationStartAnalysisContext context, MlaSymbols symbols)
        => context.RegisterOperationAction(operation => Analyze(operation, symbols), OperationKind.Invocation);

    private void Analyze(OperationAnalysisContext context, MlaSymbols symbols)
    {
        var call = (IInvocationOperation)context.Operation;
        foreach (SpanArgument span in SpanArgument.Of(call, symbols).Where(static span => span.Length == 0 || span.Length % span.Width != 0))
        {
            context.ReportDiagnostic(Diagnostic.Create(
                Rule,
                span.Argument.Syntax.GetLocation(),
                span.Parameter,
                Counted.Of(span.Length, "element"),
                span.Width.ToString(CultureInfo.InvariantCulture),
                span.Formula,
                call.TargetMethod.ContainingType.Name));
        }
    }
}
