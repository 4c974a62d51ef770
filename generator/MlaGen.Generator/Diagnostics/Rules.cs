using System.Collections.Immutable;
using Microsoft.CodeAnalysis;

namespace MlaGen.Generator.Diagnostics;

/// <summary>Every rule about an attribute and its class (MLA0001-0099), and about the configuration it names (MLA0100-0199).</summary>
internal static class Rules
{
    private const string HelpBase = "https://github.com/mlagen/mlagen/blob/main/docs/diagnostics/";

    public static readonly DiagnosticDescriptor ClassNotPartial = Of(
        "MLA0001",
        "Class is not partial",
        "Class '{0}' must be partial: the generated layer is its other part");

    public static readonly DiagnosticDescriptor GenericClass = Of(
        "MLA0002",
        "Class is generic",
        "Class '{0}' cannot be generic or stand in a generic type ('{1}'): its dimensions are constants, the same for every type argument");

    public static readonly DiagnosticDescriptor ContainingTypeNotPartial = Of(
        "MLA0003",
        "Containing type is not partial",
        "Type '{1}' around class '{0}' must be partial");

    public static readonly DiagnosticDescriptor UnsupportedClass = Of(
        "MLA0004",
        "Class cannot be completed",
        "Class '{0}' is {1}; expected an ordinary class that can be constructed and named from another file");

    public static readonly DiagnosticDescriptor MissingDimension = Of(
        "MLA0005",
        "Required dimension is missing",
        "'{0}' needs {1} ({2} in the model's configuration)");

    public static readonly DiagnosticDescriptor DimensionTooSmall = Of(
        "MLA0006",
        "Dimension is too small",
        "{0} is {1}; expected at least {2}");

    public static readonly DiagnosticDescriptor DimensionTooLarge = Of(
        "MLA0007",
        "Dimension is beyond the supported range",
        "{0} is {1}; the largest supported value is {2}");

    public static readonly DiagnosticDescriptor OddRopeDimension = Of(
        "MLA0008",
        "Rotary dimension is odd",
        "QkRopeHeadDim is {0}; expected an even number, since elements are rotated in pairs");

    public static readonly DiagnosticDescriptor SettingWithoutEffect = Of(
        "MLA0009",
        "Setting has no effect",
        "{0} has no effect: {1}");

    public static readonly DiagnosticDescriptor MissingRopeParameter = Of(
        "MLA0010",
        "Parameter of the scaling is missing",
        "{0} needs {1}");

    public static readonly DiagnosticDescriptor YarnFactor = Of(
        "MLA0011",
        "YaRN factor shrinks the context",
        "The YaRN factor is {0}; expected at least 1");

    public static readonly DiagnosticDescriptor YarnRange = Of(
        "MLA0012",
        "YaRN correction range is reversed",
        "BetaFast is {0} and BetaSlow is {1}; expected BetaFast to be at least BetaSlow");

    public static readonly DiagnosticDescriptor LongRopeFactorCount = Of(
        "MLA0013",
        "LongRoPE factors do not fit the rotary dimension",
        "{0} has {1}; expected {2}, which is QkRopeHeadDim / 2");

    public static readonly DiagnosticDescriptor DynamicLongRope = Of(
        "MLA0014",
        "LongRoPE factors depend on the sequence",
        "ShortFactor and LongFactor differ at element {0}, and MaxPositionEmbeddings ({1}) lies beyond OriginalMaxPositionEmbeddings ({2}); expected equal factors or positions within the original context, since frequencies are constants");

    public static readonly DiagnosticDescriptor UnusableNumber = Of(
        "MLA0015",
        "Number cannot be used",
        "{0} is {1}; expected {2}");

    public static readonly DiagnosticDescriptor ScaleWithoutQueryLatent = Of(
        "MLA0016",
        "Query scale without a query latent",
        "ScaleQLora multiplies the query latent, and QLoraRank is 0; expected a QLoraRank of at least 1");

    public static readonly DiagnosticDescriptor FrameworkTooOld = Of(
        "MLA0017",
        "Target framework is too old",
        "The layer of class '{0}' needs .NET 10 or later; this project is compiled against {1}");

    public static readonly DiagnosticDescriptor LanguageTooOld = Of(
        "MLA0018",
        "Language version is too old",
        "The layer of class '{0}' needs C# {1} or later; this project is compiled as C# {2}: remove LangVersion from the project, whose default for net10.0 is {1}, or set it to {1}");

    public static readonly DiagnosticDescriptor HiddenType = Of(
        "MLA0019",
        "Project hides a type that layers need",
        "Class '{0}' cannot be completed: '{1}' is declared in assembly '{2}', and hides what its layer knows by that name");

    public static readonly DiagnosticDescriptor PrimaryConstructor = Of(
        "MLA0020",
        "Class has a primary constructor",
        "Class '{0}' has a primary constructor, which the generated constructor could not call; expected none");

    public static readonly DiagnosticDescriptor BaseConstructor = Of(
        "MLA0021",
        "Base class cannot be constructed",
        "Base class '{1}' of '{0}' {2}; expected one without parameters, since the generated constructor calls it");

    public static readonly DiagnosticDescriptor MemberTaken = Of(
        "MLA0022",
        "Member is declared twice",
        "Class '{0}' {1}, and its layer gets a member of that name; expected another name");

    public static readonly DiagnosticDescriptor RequiredMember = Of(
        "MLA0023",
        "Member is required",
        "Class '{0}' {1}, which Load, that makes a layer from a checkpoint, cannot set; expected a member with a default");

    public static readonly DiagnosticDescriptor GateWithoutQueryLatent = Of(
        "MLA0024",
        "Output gate without a query latent",
        "OutputGate.Query makes the gates from the query latent, and QLoraRank is 0; expected a QLoraRank of at least 1, or gates from the hidden state: HeadWise or ElementWise");

    public static readonly DiagnosticDescriptor UnusableName = Of(
        "MLA0025",
        "Name of a projection cannot be used",
        "{0} is '{1}'; expected {2}");

    public static readonly DiagnosticDescriptor ConfigNotFound = Of(
        "MLA0100",
        "Model configuration not found",
        "The project has no MlaModelConfig item named '{0}'; {1}. Add <MlaModelConfig Include=\"path/to/config.json\" Name=\"{2}\" /> to an ItemGroup of the project, with the path of the model's own file");

    /// <summary>All of them, in the order of their ids.</summary>
    public static readonly ImmutableArray<DiagnosticDescriptor> All = ImmutableArray.Create(
        ClassNotPartial,
        GenericClass,
        ContainingTypeNotPartial,
        UnsupportedClass,
        MissingDimension,
        DimensionTooSmall,
        DimensionTooLarge,
        OddRopeDimension,
        SettingWithoutEffect,
        MissingRopeParameter,
        YarnFactor,
        YarnRange,
        LongRopeFactorCount,
        DynamicLongRope,
        UnusableNumber,
        ScaleWithoutQueryLatent,
        FrameworkTooOld,
        LanguageTooOld,
        HiddenType,
        PrimaryConstructor,
        BaseConstructor,
        MemberTaken,
        RequiredMember,
        GateWithoutQueryLatent,
        UnusableName,
        ConfigNotFound);

    /// <summary>A rule of any range, with its page.</summary>
    public static DiagnosticDescriptor Of(string id, string title, string message, DiagnosticSeverity severity = DiagnosticSeverity.Error)
        => new(id, title, message, "MlaGen", severity, isEnabledByDefault: true, helpLinkUri: HelpBase + id + ".md");
}
