using System.Globalization;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.Operations;
using MlaGen.Generator.Diagnostics;

namespace MlaGen.Generator.CallSites;

/// <summary>Finds a span of whole rows, but not as many as its batch certainly has.</summary>
[DiagnosticAnalyzer(LanguageNames.CSharp)]
public sealed class BatchRowsAnalyzer() : CallSiteAnalyzer(CallSiteRules.BatchRows)
{
    private protected override void Register(CompilationStartAnalysisContext context, MlaSymbols symbols)
        => context.RegisterOperationAction(operation => Analyze(operation, symbols), OperationKind.Invocation);

    private void Analyze(OperationAnalysisContext context, MlaSymbols symbols)
    {
        var call = (IInvocationOperation)context.Operation;

        // What is not whole rows is another rule's.
        SpanArgument[] spans = [.. SpanArgument.Of(call, symbols).Where(static span => span.Length > 0 && span.Length % span.Width == 0)];
        if (spans.Length == 0
            || Locals.WithoutConversions(call.Arguments.First(static argument => argument.Parameter?.Ordinal == 0).Value) is not ILocalReferenceOperation batch
            || CertainRows.At(call, batch, symbols) is not { } rows)
        {
            return;
        }

        foreach (SpanArgument span in spans.Where(span => span.Length != rows * span.Width))
        {
            context.ReportDiagnostic(Diagnostic.Create(
                Rule,
                span.Argument.Syntax.GetLocation(),
                span.Parameter,
                Counted.Of(span.Length, "element"),
                (rows * span.Width).ToString(CultureInfo.InvariantCulture),
                Counted.Of(rows, "row"),
                batch.Local.Name,
                span.Width.ToString(CultureInfo.InvariantCulture),
                span.Formula,
                call.TargetMethod.ContainingType.Name));
        }
    }
}
