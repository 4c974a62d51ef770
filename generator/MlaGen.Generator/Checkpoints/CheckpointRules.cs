using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using MlaGen.Generator.Diagnostics;

namespace MlaGen.Generator.Checkpoints;

/// <summary>Rules about checkpoints that do not fit their class (MLA0200-0279), reported at the attribute; those of the build task begin at MLA0280.</summary>
internal static class CheckpointRules
{
    private const string HelpBase = "https://github.com/mlagen/mlagen/blob/main/docs/diagnostics/";

    public static readonly DiagnosticDescriptor WrongShape = Rule(
        "MLA0200",
        "Tensor has another shape than the class",
        "'{0}'{1} of checkpoint '{2}' is {3}; expected {4} = {5}");

    public static readonly DiagnosticDescriptor MissingTensor = Rule(
        "MLA0201",
        "Tensor is missing",
        "Checkpoint '{2}' has no '{0}'{1}; expected {3} = {4}{5}");

    public static readonly DiagnosticDescriptor WrongType = Rule(
        "MLA0202",
        "Tensor has a type that weights cannot have",
        "'{0}'{1} of checkpoint '{2}' is {3}; expected {4}");

    public static readonly DiagnosticDescriptor SurplusTensor = Rule(
        "MLA0203",
        "Tensor is surplus",
        "'{0}'{1} of checkpoint '{2}' is surplus: {3}");

    public static readonly DiagnosticDescriptor MissingScales = Rule(
        "MLA0204",
        "Scaled weights need one set of scales",
        "'{0}'{1} of checkpoint '{2}' is F8_E4M3 with {3}; expected either weight_scale_inv or weight_scale");

    public static readonly DiagnosticDescriptor NoAttention = Rule(
        "MLA0205",
        "Checkpoint has no layer of Multi-head Latent Attention",
        "Checkpoint '{0}' has no tensor such as 'model.layers.0.self_attn.kv_b_proj.weight'; expected at least one layer of Multi-head Latent Attention");

    public static readonly DiagnosticDescriptor ClassNotFound = Rule(
        "MLA0206",
        "No class for a checkpoint",
        "MlaCheckpoint names the class '{0}'; the project has no class of that name with [MlaAttention]",
        DiagnosticSeverity.Warning);

    public static readonly DiagnosticDescriptor UnusableManifest = Rule(
        "MLA0207",
        "Manifest of a checkpoint cannot be read",
        "The manifest of the checkpoint for '{0}' cannot be read: {1}; it is written anew after 'dotnet clean'");

    /// <summary>All of them, in the order of their ids.</summary>
    public static readonly ImmutableArray<DiagnosticDescriptor> All = ImmutableArray.Create(
        WrongShape,
        MissingTensor,
        WrongType,
        SurplusTensor,
        MissingScales,
        NoAttention,
        ClassNotFound,
        UnusableManifest);

    private static DiagnosticDescriptor Rule(string id, string title, string message, DiagnosticSeverity severity = DiagnosticSeverity.Error)
        => new(id, title, message, Rules.Category, severity, isEnabledByDefault: true, helpLinkUri: HelpBase + id + ".md");
}
