using System.Collections.Immutable;
using Microsoft.CodeAnalysis;

namespace MlaGen.Generator.CallSites;

/// <summary>Rules about the code that uses a generated class (MLA0300-0399). Each speaks only where it is certain.</summary>
internal static class CallSiteRules
{
    private const string HelpBase = "https://github.com/mlagen/mlagen/blob/main/docs/diagnostics/";

    public static readonly DiagnosticDescriptor PartialRow = Rule(
        "MLA0300",
        "Length is not a whole number of rows",
        "'{0}' gets {1}; expected a positive multiple of {2}, the width of a row ({3} of '{4}')",
        DiagnosticSeverity.Error);

    public static readonly DiagnosticDescriptor BatchRows = Rule(
        "MLA0301",
        "Length does not fit the batch",
        "'{0}' gets {1}; expected {2}, which is the {3} of batch '{4}' times {5} ({6} of '{7}')",
        DiagnosticSeverity.Error);

    public static readonly DiagnosticDescriptor WeightCount = Rule(
        "MLA0302",
        "Number of weights does not fit the projection",
        "'{0}' of '{1}' gets {2}; expected {3} ({4})",
        DiagnosticSeverity.Error);

    public static readonly DiagnosticDescriptor ForeignWeights = Rule(
        "MLA0303",
        "Weights are another class's",
        "These weights are of '{0}' and can never be '{1}'",
        DiagnosticSeverity.Error);

    public static readonly DiagnosticDescriptor Undisposed = Rule(
        "MLA0304",
        "Never disposed",
        "This '{0}' is never disposed; {1}",
        DiagnosticSeverity.Warning);

    public static readonly DiagnosticDescriptor Uncommitted = Rule(
        "MLA0305",
        "Batch is never committed",
        "Batch '{0}' runs through 'Forward' and is never committed: its sequences forget the new tokens; call 'Commit', or 'Rollback' where that is meant",
        DiagnosticSeverity.Warning);

    public static readonly DiagnosticDescriptor SequenceLoop = Rule(
        "MLA0306",
        "One batch would do for all sequences",
        "'Forward' runs once for each sequence of the loop; one batch that every sequence is added to reads the weights once for all of them",
        DiagnosticSeverity.Info);

    /// <summary>All of them, in the order of their ids.</summary>
    public static readonly ImmutableArray<DiagnosticDescriptor> All = ImmutableArray.Create(
        PartialRow,
        BatchRows,
        WeightCount,
        ForeignWeights,
        Undisposed,
        Uncommitted,
        SequenceLoop);

    private static DiagnosticDescriptor Rule(string id, string title, string message, DiagnosticSeverity severity)
        => new(id, title, message, "MlaGen", severity, isEnabledByDefault: true, helpLinkUri: HelpBase + id + ".md");
}
