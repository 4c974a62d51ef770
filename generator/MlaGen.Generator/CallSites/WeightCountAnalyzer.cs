using System.Globalization;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.Operations;
using MlaGen.Generator.Diagnostics;

namespace MlaGen.Generator.CallSites;

/// <summary>Finds a typed projection or norm that is made from another number of weights or biases than it has.</summary>
[DiagnosticAnalyzer(LanguageNames.CSharp)]
public sealed class WeightCountAnalyzer() : CallSiteAnalyzer(CallSiteRules.WeightCount)
{
    private protected override void Register(CompilationStartAnalysisContext context, MlaSymbols symbols)
        => context.RegisterOperationAction(operation => Analyze(operation, symbols), OperationKind.ObjectCreation);

    private void Analyze(OperationAnalysisContext context, MlaSymbols symbols)
    {
        var creation = (IObjectCreationOperation)context.Operation;
        if (creation.Constructor is not { ContainingType: { } type } || !symbols.IsWeights(type))
        {
            return;
        }

        foreach (IArgumentOperation argument in creation.Arguments)
        {
            string[]? formula = argument.Parameter?.Name switch
            {
                "weights" => MlaSymbols.Constant(type, "Length") is null ? ["Rows", "Columns"] : ["Length"],
                "bias" => ["Rows"],
                _ => null,
            };
            if (formula is not null
                && formula.Aggregate((long?)1, (product, name) => product * MlaSymbols.Constant(type, name)) is { } expected
                && ConstantLength.Of(argument.Value) is { } length
                && length != expected)
            {
                context.ReportDiagnostic(Diagnostic.Create(
                    Rule,
                    argument.Syntax.GetLocation(),
                    argument.Parameter!.Name,
                    type.Name,
                    Counted.Of(length, "element"),
                    expected.ToString(CultureInfo.InvariantCulture),
                    string.Join(" · ", formula)));
            }
        }
    }
}
