using Microsoft.CodeAnalysis;
using MlaGen.Generator.Model;

namespace MlaGen.Generator.Diagnostics;

/// <summary>A mistake as a value: which rule, where in the attribute, and the words of its message. The analyzer gives it a location.</summary>
/// <param name="Rule">The rule that is broken.</param>
/// <param name="Property">The attribute property concerned, or null for the class itself.</param>
/// <param name="Arguments">Arguments of the rule's message, already in invariant text.</param>
internal sealed record Problem(DiagnosticDescriptor Rule, string? Property, EquatableArray<string> Arguments)
{
    /// <summary>Which of the class's own members is concerned, by its place among them, or null.</summary>
    public int? Member { get; init; }

    public static Problem OnClass(DiagnosticDescriptor rule, params string[] arguments) => new(rule, null, new EquatableArray<string>(arguments));

    public static Problem At(string property, DiagnosticDescriptor rule, params string[] arguments) => new(rule, property, new EquatableArray<string>(arguments));
}
