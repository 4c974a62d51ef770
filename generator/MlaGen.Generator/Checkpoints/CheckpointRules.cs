using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using MlaGen.Generator.Diagnostics;

namespace MlaGen.Generator.Checkpoints;

/// <summary>Rules about checkpoints that do not fit their class (MLA0200-0279), reported at the attribute; those of the build task begin at MLA0280.</summary>
internal static class CheckpointRules
{
    public static readonly DiagnosticDescriptor WrongShape = Rules.Of(
        "MLA0200",
        "Tensor has another shape than the class",
        "'{0}'{1} of checkpoint '{2}' is {3}; expected {4} = {5}");

    public static readonly DiagnosticDescriptor MissingTensor = Rules.Of(
        "MLA0201",
        "Tensor is missing",
        "Checkpoint '{2}' has no '{0}'{1}; expected {3} = {4}{5}");

    public static readonly DiagnosticDescriptor WrongType = Rules.Of(
        "MLA0202",
        "Tensor has a type that weights cannot have",
        "'{0}'{1} of checkpoint '{2}' is {3}; expected {4}");

    public static readonly DiagnosticDescriptor SurplusTensor = Rules.Of(
        "MLA0203",
        "Tensor is surplus",
        "'{0}'{1} of checkpoint '{2}' is surplus: {3}");

    public static readonly DiagnosticDescriptor MissingScales = Rules.Of(
        "MLA0204",
        "Scaled weights need one set of scales",
        "'{0}'{1} of checkpoint '{2}' is F8_E4M3 with {3}; expected either weight_scale_inv or weight_scale");

    public static readonly DiagnosticDescriptor NoAttention = Rules.Of(
        "MLA0205",
        "Checkpoint has no layer of Multi-head Latent Attention",
        "Checkpoint '{0}' has no tensor such as 'model.layers.0.self_attn.kv_b_proj.weight'; expected at least one layer of Multi-head Latent Attention");

    public static readonly DiagnosticDescriptor ClassNotFound = Rules.Of(
        "MLA0206",
        "No class for a checkpoint",
        "MlaCheckpoint names the class '{0}'; the project has no class of that name with [MlaAttention]",
        DiagnosticSeverity.Warning);

    public static readonly DiagnosticDescriptor UnusableManifest = Rules.Of(
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
}
