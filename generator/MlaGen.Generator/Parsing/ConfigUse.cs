using System.Globalization;
using MlaGen.Generator.Diagnostics;
using MlaGen.Generator.Model;
using MlaGen.Generator.Validation;

namespace MlaGen.Generator.Parsing;

/// <summary>A class that takes its dimensions from a configuration: what it becomes, and which of the two has to answer for a problem.</summary>
internal static class ConfigUse
{
    /// <summary>The specification, with the source of each value.</summary>
    public static MlaSpec Specify(AttributeModel attribute, ConfigModel config)
        => Merge(attribute, config).ToSpec(attribute.Target) with { Provenance = new(Sources(attribute.Settings, config)) };

    /// <summary>Keys of the file that it lacks and the attribute does not replace. A configuration has no defaults: one that leaves a width out means another one.</summary>
    public static IEnumerable<string> MissingKeys(AttributeModel attribute, ConfigModel config)
    {
        MlaSettings settings = Merge(attribute, config);
        (string Key, bool IsMissing)[] required =
        [
            ("hidden_size", settings.HiddenSize is null),
            ("num_attention_heads", settings.Heads is null),
            ("qk_nope_head_dim", settings.QkNopeHeadDim is null),
            ("qk_rope_head_dim", settings.QkRopeHeadDim is null),
            ("v_head_dim", settings.VHeadDim is null),
            ("max_position_embeddings", settings.MaxPositionEmbeddings is null),
            ("rope_theta", settings.RopeTheta is null && settings.RopeLayout != RopeLayout.None),
            ("original_max_position_embeddings", settings.OriginalMaxPositionEmbeddings is null && (settings.RopeScaling is not (null or RopeScaling.None) || settings.Llama4ScalingBeta is not (null or 0))),
            ("factor", NeedsFactor(settings)),
            ("short_factor", settings.ShortFactor is null && settings.RopeScaling == RopeScaling.LongRope),
            ("index_n_heads", settings.IndexHeads is null && settings.IndexTopK > 0),
            ("index_head_dim", settings.IndexHeadDim is null && settings.IndexTopK > 0),
            ("long_factor", settings.LongFactor is null && settings.RopeScaling == RopeScaling.LongRope),
        ];
        return required.Where(static key => key.IsMissing).Select(static key => key.Key);
    }

    /// <summary>Whether the model is sparse in a way that is not known, and the class has not accepted dense attention in its place.</summary>
    public static bool IsSparse(AttributeModel attribute, ConfigModel config)
        => config.IndexTopK is not null && attribute.Settings.AllowDense != true && (Merge(attribute, config).IndexTopK ?? 0) == 0;

    /// <summary>Whether the model's attention weights are quantized in a way that is not read, and the class does not say that its own are decoded.</summary>
    public static bool IsQuantized(AttributeModel attribute, ConfigModel config) => config.Quantization is not null && attribute.Settings.DecodedWeights != true;

    /// <summary>Problems of values that the attribute wrote, to be reported there.</summary>
    public static IEnumerable<Problem> AttributeProblems(AttributeModel attribute, ConfigModel config)
    {
        IEnumerable<Problem> problems = Validate(attribute, config).Where(problem => IsWritten(problem, attribute));
        if (config.IndexTopK is { } topK && attribute.Settings is { AllowDense: true, MaxPositionEmbeddings: { } positions } && positions > topK)
        {
            string limit = $"{SpecValidator.Text(topK)}, index_topk of {config.File}: further on dense and sparse attention differ";
            problems = problems.Append(Problem.At(nameof(MlaSettings.MaxPositionEmbeddings), Rules.DimensionTooLarge, nameof(MlaSettings.MaxPositionEmbeddings), SpecValidator.Text(positions), limit));
        }

        return problems;
    }

    /// <summary>Problems of values that came from the file, to be reported there.</summary>
    public static IEnumerable<Problem> ValueProblems(AttributeModel attribute, ConfigModel config)
        => Validate(attribute, config).Where(problem => !IsWritten(problem, attribute));

    // What nobody wrote is missing from the file, and reported as that.
    private static IEnumerable<Problem> Validate(AttributeModel attribute, ConfigModel config)
        => MissingKeys(attribute, config).Any() ? [] : SpecValidator.Validate(Merge(attribute, config).ToSpec(attribute.Target), attribute.Settings);

    private static bool IsWritten(Problem problem, AttributeModel attribute) => problem.Property is { } property && attribute.Settings.Has(property);

    private static MlaSettings Merge(AttributeModel attribute, ConfigModel config)
    {
        MlaSettings settings = WithFactor(attribute.Settings.Over(Settings(attribute.Settings, config)), config);
        bool isLimited = config.IndexTopK is { } topK && attribute.Settings is { AllowDense: true, MaxPositionEmbeddings: null } && !(settings.MaxPositionEmbeddings <= topK);
        return isLimited ? settings with { MaxPositionEmbeddings = config.IndexTopK } : settings;
    }

    /// <summary>What the file says, to a class that may have accepted dense attention in place of its indexer.</summary>
    private static MlaSettings Settings(MlaSettings attribute, ConfigModel config) => attribute.AllowDense == true ? config.Settings.WithoutIndexer() : config.Settings;

    /// <summary>A factor that nobody states follows from the two lengths of the model: from what the file states, and not from what the class accepts.</summary>
    private static MlaSettings WithFactor(MlaSettings settings, ConfigModel config)
        => IsFactorOpen(settings) && settings.OriginalMaxPositionEmbeddings is > 0 and { } original && config.Settings.MaxPositionEmbeddings is { } length
            ? settings with { RopeFactor = (double)length / original }
            : settings;

    private static bool IsFactorOpen(MlaSettings settings) => settings is { RopeFactor: null or 0, RopeScaling: RopeScaling.Yarn or RopeScaling.LongRope };

    // Where a length is missing, that is said, and the factor follows from it.
    private static bool NeedsFactor(MlaSettings settings)
        => IsFactorOpen(settings)
            && settings is { MaxPositionEmbeddings: not null, OriginalMaxPositionEmbeddings: not null }
            && (settings.RopeScaling == RopeScaling.Yarn || settings.AttentionFactor is null or 0);

    private static IEnumerable<ValueSource> Sources(MlaSettings attribute, ConfigModel config)
    {
        bool isFactorDerived = IsFactorOpen(attribute.Over(config.Settings)) && config.Settings.MaxPositionEmbeddings is not null;
        Dictionary<string, object?> file = Settings(attribute, config).All.ToDictionary(static setting => setting.Property, static setting => setting.Value);
        foreach ((string property, object? written) in attribute.All)
        {
            object? read = file[property];
            if (isFactorDerived && property == nameof(MlaSettings.RopeFactor))
            {
                yield return new ValueSource(property, $"max_position_embeddings of {config.File} / OriginalMaxPositionEmbeddings");
            }
            else if (written is not null)
            {
                yield return new ValueSource(property, read is null || read.Equals(written) ? "attribute" : $"attribute, overriding {Text(read)} of {config.File}");
            }
            else if (property == nameof(MlaSettings.MaxPositionEmbeddings) && attribute.AllowDense == true && config.IndexTopK is { } topK && !((int?)read <= topK))
            {
                yield return new ValueSource(property, $"index_topk of {config.File}, up to which dense and sparse attention agree");
            }
            else if (read is not null)
            {
                yield return new ValueSource(property, config.File);
            }
        }
    }

    private static string Text(object value) => value switch
    {
        double number => SpecValidator.Text(number),
        bool flag => flag ? "true" : "false",
        EquatableArray<double> numbers => Counted.Of(numbers.Count, "number"),
        IFormattable formattable => formattable.ToString(null, CultureInfo.InvariantCulture),
        _ => value.ToString(),
    };
}
