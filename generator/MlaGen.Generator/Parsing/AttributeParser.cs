using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using MlaGen.Generator.Model;

namespace MlaGen.Generator.Parsing;

/// <summary>Turns an attribute and the class that carries it into a value without symbols.</summary>
internal static class AttributeParser
{
    public const string MetadataName = "MlaGen.MlaAttentionAttribute";

    /// <summary>The attribute on a type, if it carries one.</summary>
    public static AttributeData? Find(INamedTypeSymbol type)
    {
        foreach (AttributeData attribute in type.GetAttributes())
        {
            if (attribute.AttributeClass is { Name: "MlaAttentionAttribute", ContainingNamespace: { Name: "MlaGen", ContainingNamespace.IsGlobalNamespace: true } })
            {
                return attribute;
            }
        }

        return null;
    }

    /// <summary>What was written, or null where the compiler itself has refused an argument and says so.</summary>
    public static AttributeModel? Parse(INamedTypeSymbol type, AttributeData attribute, Compilation compilation)
    {
        // One that only has the name may have any properties: it is not read.
        if (attribute.AttributeClass is { } attributeClass && attributeClass.ContainingAssembly?.GetTypeByMetadataName("MlaGen.IMlaAttention`1") is null)
        {
            return new AttributeModel(DeclarationParser.Target(type), null, MlaSettings.Empty, new([DeclarationParser.Foreign(type, attributeClass)])) { IsForeign = true };
        }

        if (attribute.ConstructorArguments.Any(IsRefused) || attribute.NamedArguments.Any(static pair => IsRefused(pair.Value)))
        {
            return null;
        }

        MlaSettings settings = MlaSettings.Empty;
        foreach (KeyValuePair<string, TypedConstant> argument in attribute.NamedArguments)
        {
            settings = Set(settings, argument.Key, argument.Value);
        }

        string? configName = attribute.ConstructorArguments is [{ Value: string name }] ? name : null;
        return new AttributeModel(DeclarationParser.Target(type), configName, settings, new(DeclarationParser.Problems(type, compilation)));
    }

    // An array with a mistake in it is of kind Array: the mistake is in an element.
    private static bool IsRefused(TypedConstant constant)
        => constant.Kind == TypedConstantKind.Error || (constant.Kind == TypedConstantKind.Array && !constant.IsNull && constant.Values.Any(IsRefused));

    private static MlaSettings Set(MlaSettings settings, string property, TypedConstant value) => property switch
    {
        nameof(MlaSettings.HiddenSize) => settings with { HiddenSize = (int)value.Value! },
        nameof(MlaSettings.Heads) => settings with { Heads = (int)value.Value! },
        nameof(MlaSettings.QLoraRank) => settings with { QLoraRank = (int)value.Value! },
        nameof(MlaSettings.KvLoraRank) => settings with { KvLoraRank = (int)value.Value! },
        nameof(MlaSettings.QkRopeHeadDim) => settings with { QkRopeHeadDim = (int)value.Value! },
        nameof(MlaSettings.QkNopeHeadDim) => settings with { QkNopeHeadDim = (int)value.Value! },
        nameof(MlaSettings.VHeadDim) => settings with { VHeadDim = (int)value.Value! },
        nameof(MlaSettings.MaxPositionEmbeddings) => settings with { MaxPositionEmbeddings = (int)value.Value! },
        nameof(MlaSettings.AttentionBias) => settings with { AttentionBias = (bool)value.Value! },
        nameof(MlaSettings.RopeTheta) => settings with { RopeTheta = (double)value.Value! },
        nameof(MlaSettings.RopeLayout) => settings with { RopeLayout = (RopeLayout)(int)value.Value! },
        nameof(MlaSettings.RopeScaling) => settings with { RopeScaling = (RopeScaling)(int)value.Value! },
        nameof(MlaSettings.RopeFactor) => settings with { RopeFactor = (double)value.Value! },
        nameof(MlaSettings.OriginalMaxPositionEmbeddings) => settings with { OriginalMaxPositionEmbeddings = (int)value.Value! },
        nameof(MlaSettings.BetaFast) => settings with { BetaFast = (double)value.Value! },
        nameof(MlaSettings.BetaSlow) => settings with { BetaSlow = (double)value.Value! },
        nameof(MlaSettings.Mscale) => settings with { Mscale = (double)value.Value! },
        nameof(MlaSettings.MscaleAllDim) => settings with { MscaleAllDim = (double)value.Value! },
        nameof(MlaSettings.RopeTruncate) => settings with { RopeTruncate = (bool)value.Value! },
        nameof(MlaSettings.AttentionFactor) => settings with { AttentionFactor = (double)value.Value! },
        nameof(MlaSettings.ShortFactor) => settings with { ShortFactor = Doubles(value) },
        nameof(MlaSettings.LongFactor) => settings with { LongFactor = Doubles(value) },
        nameof(MlaSettings.LatentNormEpsilon) => settings with { LatentNormEpsilon = (double)value.Value! },
        nameof(MlaSettings.SoftmaxScale) => settings with { SoftmaxScale = (double)value.Value! },
        nameof(MlaSettings.ScaleQLora) => settings with { ScaleQLora = (bool)value.Value! },
        nameof(MlaSettings.ScaleKvLora) => settings with { ScaleKvLora = (bool)value.Value! },
        nameof(MlaSettings.Llama4ScalingBeta) => settings with { Llama4ScalingBeta = (double)value.Value! },
        nameof(MlaSettings.OutputGate) => settings with { OutputGate = (OutputGate)(int)value.Value! },
        nameof(MlaSettings.OutputGateName) => settings with { OutputGateName = (string?)value.Value },
        nameof(MlaSettings.AttentionSinks) => settings with { AttentionSinks = (bool)value.Value! },
        nameof(MlaSettings.CacheFormat) => settings with { CacheFormat = (CacheFormat)(int)value.Value! },
        nameof(MlaSettings.AllowDense) => settings with { AllowDense = (bool)value.Value! },
        nameof(MlaSettings.DecodedWeights) => settings with { DecodedWeights = (bool)value.Value! },
        // A newer runtime beside an older generator: not a value to drop in silence.
        _ => throw new NotSupportedException($"MlaAttention has the property {property}, which this version of the generator does not know."),
    };

    private static EquatableArray<double>? Doubles(TypedConstant value)
        => value.IsNull ? null : new EquatableArray<double>(value.Values.Select(static element => (double)element.Value!).ToImmutableArray());
}
