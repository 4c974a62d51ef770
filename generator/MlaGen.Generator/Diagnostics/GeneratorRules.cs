using Microsoft.CodeAnalysis;

namespace MlaGen.Generator.Diagnostics;

/// <summary>What the generator itself reports, since no analyzer can: its own failures.</summary>
internal static class GeneratorRules
{
    public static readonly DiagnosticDescriptor Failed = Rules.Of(
        "MLA0029",
        "Generator failed",
        "The generator failed on {0} and leaves it out: {1}");
}
