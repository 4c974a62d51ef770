using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using MlaGen.Generator.Diagnostics;

namespace MlaGen.Generator.Configs;

/// <summary>Rules about model configurations (MLA0101-0199). They stand in the JSON file, so .globalconfig and NoWarn reach them and #pragma does not.</summary>
internal static class ConfigRules
{
    public static readonly DiagnosticDescriptor Unreadable = Error(
        "MLA0101",
        "Model configuration cannot be read",
        "The model configuration '{0}' cannot be read; expected a JSON file");

    public static readonly DiagnosticDescriptor Syntax = Error(
        "MLA0102",
        "Model configuration is not valid JSON",
        "Not valid JSON: {0}");

    public static readonly DiagnosticDescriptor DuplicateName = Error(
        "MLA0103",
        "Two model configurations have one name",
        "The name '{0}' is already that of '{1}'; give one of the two MlaModelConfig items another Name");

    public static readonly DiagnosticDescriptor DuplicateKey = Error(
        "MLA0104",
        "Key is repeated",
        "The key '{0}' is repeated in this object; readers disagree about which one counts");

    public static readonly DiagnosticDescriptor NotMla = Error(
        "MLA0105",
        "Not a configuration of Multi-head Latent Attention",
        "This model does not use Multi-head Latent Attention: {0}");

    public static readonly DiagnosticDescriptor UnknownModelType = Error(
        "MLA0106",
        "Model type is not known",
        "The model type {0} is not known, and no class among the architectures is; expected the model_type of the model's own config.json, which says whose arithmetic it is");

    public static readonly DiagnosticDescriptor UnknownKey = Error(
        "MLA0107",
        "Attention key is not understood",
        "The key '{0}' is not understood for model type '{1}' and could change the arithmetic of attention{2}");

    public static readonly DiagnosticDescriptor UnsupportedFeature = Error(
        "MLA0108",
        "Attention feature is not supported",
        "'{0}' is {1}: {2}");

    public static readonly DiagnosticDescriptor WrongValue = Error(
        "MLA0109",
        "Value cannot be used",
        "'{0}' is {1}; expected {2}");

    public static readonly DiagnosticDescriptor MissingKey = Error(
        "MLA0110",
        "Keys are missing",
        "The configuration says nothing of {0}; the class that uses it must, or the file{1}");

    public static readonly DiagnosticDescriptor Conflict = Error(
        "MLA0111",
        "Keys contradict each other",
        "'{0}' is {1}, and '{2}' is {3}; expected the same");

    public static readonly DiagnosticDescriptor UnsupportedRope = Error(
        "MLA0112",
        "Rotary scaling is not supported",
        "The rotary scaling {0} is not supported: {1}");

    public static readonly DiagnosticDescriptor UnsupportedQuantization = Error(
        "MLA0113",
        "Quantization is not supported",
        "The quantization cannot be read: {0}. Attention is read in bf16, fp16, fp32 and in fp8 (e4m3) with a scale for each tensor, channel or block of 128 by 128; DecodedWeights = true on the class says that it loads weights that are decoded already");

    public static readonly DiagnosticDescriptor SparseIndexer = Error(
        "MLA0114",
        "Sparse indexer is not known",
        "The model attends through a sparse indexer to {0} a query, and how its model type computes scores is not known; AllowDense = true on the class accepts dense attention, which is the same up to position {1}");

    public static readonly DiagnosticDescriptor UnusableValue = Error(
        "MLA0115",
        "Value makes no layer",
        "No layer can be generated from this: {0}");

    public static readonly DiagnosticDescriptor OtherProgram = Error(
        "MLA0116",
        "Configuration is another program's",
        "The key '{0}' belongs to {1}, which keeps the rest of the model in its source; expected the config.json that stands beside the weights");

    public static readonly DiagnosticDescriptor LatentEpsilon = Info(
        "MLA0120",
        "Latent norms do not use rms_norm_eps",
        "The two latent norms use epsilon 1e-06 as transformers does, and not '{0}' ({1}), which the layer norms around attention use");

    public static readonly DiagnosticDescriptor YarnWithoutMscale = Warning(
        "MLA0121",
        "YaRN scales cosine and sine",
        "YaRN without both mscale and mscale_all_dim multiplies cosine and sine by 0.1·ln(factor) + 1, as transformers does; DeepSeek's own code does not");

    public static readonly DiagnosticDescriptor KeyWithoutEffect = Warning(
        "MLA0122",
        "Key has no effect",
        "'{0}' is {1} and has no effect: {2}");

    public static readonly DiagnosticDescriptor HeadDimIgnored = Info(
        "MLA0123",
        "head_dim is not the rotary width",
        "'head_dim' is {0} and is ignored; the rotary width is qk_rope_head_dim, {1}");

    public static readonly DiagnosticDescriptor ScaleDependsOnVersion = Info(
        "MLA0124",
        "Softmax scale depends on the version",
        "The softmax scale carries YaRN's mscale², as in transformers 5.17 and DeepSeek's own code; the model class of earlier transformers versions leaves it out");

    public static readonly DiagnosticDescriptor ScaleDisputed = Warning(
        "MLA0125",
        "Softmax scale is disputed",
        "The softmax scale carries YaRN's mscale², as in transformers 5.17; earlier versions, vLLM and the release's own parameters leave it out (SoftmaxScale on the class decides)");

    public static readonly DiagnosticDescriptor SuspiciousRopeDim = Warning(
        "MLA0126",
        "Rotary width may have been overwritten",
        "'qk_rope_head_dim' and 'qk_nope_head_dim' are both {0}; some transformers versions overwrite the former when they save a configuration");

    public static readonly DiagnosticDescriptor AssumedFamily = Warning(
        "MLA0127",
        "Model type is not known",
        "The model type {0} is not known; its attention is taken to be that of {1}");

    /// <summary>All of them, in the order of their ids.</summary>
    public static readonly ImmutableArray<DiagnosticDescriptor> All = ImmutableArray.Create(
        Unreadable,
        Syntax,
        DuplicateName,
        DuplicateKey,
        NotMla,
        UnknownModelType,
        UnknownKey,
        UnsupportedFeature,
        WrongValue,
        MissingKey,
        Conflict,
        UnsupportedRope,
        UnsupportedQuantization,
        SparseIndexer,
        UnusableValue,
        OtherProgram,
        LatentEpsilon,
        YarnWithoutMscale,
        KeyWithoutEffect,
        HeadDimIgnored,
        ScaleDependsOnVersion,
        ScaleDisputed,
        SuspiciousRopeDim,
        AssumedFamily);

    private static DiagnosticDescriptor Error(string id, string title, string message) => Rules.Of(id, title, message);

    private static DiagnosticDescriptor Warning(string id, string title, string message) => Rules.Of(id, title, message, DiagnosticSeverity.Warning);

    private static DiagnosticDescriptor Info(string id, string title, string message) => Rules.Of(id, title, message, DiagnosticSeverity.Info);
}
