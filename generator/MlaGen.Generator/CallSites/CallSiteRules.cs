using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using MlaGen.Generator.Diagnostics;

namespace MlaGen.Generator.CallSites;

/// <summary>Rules about the code that uses a generated class (MLA0300-0399). Each speaks only where it is certain.</summary>
internal static class CallSiteRules
{
    public static readonly DiagnosticDescriptor PartialRow = Rules.Of(
        "MLA0300",
        "Length is not a whole number of rows",
        "'{0}' gets {1}; expected a positive multiple of {2}, the width of a row ({3} of '{4}')");

    public static readonly DiagnosticDescriptor BatchRows = Rules.Of(
        "MLA0301",
        "Length does not fit the batch",
        "'{0}' gets {1}; expected {2}, which is the {3} of batch '{4}' times {5} ({6} of '{7}')");

    public static readonly DiagnosticDescriptor WeightCount = Rules.Of(
        "MLA0302",
        "Number of weights does not fit the projection",
        "'{0}' of '{1}' gets {2}; expected {3} ({4})");

    public static readonly DiagnosticDescriptor ForeignWeights = Rules.Of(
        "MLA0303",
        "Weights are another class's",
        "These weights are of '{0}' and can never be '{1}'");

    public static readonly DiagnosticDescriptor Undisposed = Rules.Of(
        "MLA0304",
        "Never disposed",
        "This '{0}' is never disposed; {1}",
        DiagnosticSeverity.Warning);

    public static readonly DiagnosticDescriptor Uncommitted = Rules.Of(
        "MLA0305",
        "Batch is never committed",
        "Batch '{0}' runs through 'Forward' and is never committed: its sequences forget the new tokens; call 'Commit', or 'Rollback' where that is meant",
        DiagnosticSeverity.Warning);

    public static readonly DiagnosticDescriptor SequenceLoop = Rules.Of(
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
}
