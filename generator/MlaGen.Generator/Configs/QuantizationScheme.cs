using System.Globalization;
using MlaGen.Generator.Diagnostics;

namespace MlaGen.Generator.Configs;

/// <summary>What a section of a configuration does to modules, by the rules of the tool that wrote it.</summary>
internal sealed class QuantizationScheme
{
    private const int Block = 128;

    /// <summary>What tools call the modules that they leave alone.</summary>
    private static readonly string[] _ignoreKeys =
    [
        "ignore", "exclude", "exclude_modules", "modules_to_not_convert", "modules_not_to_quantize", "modules_to_not_quantize", "ignored_layers", "llm_int8_skip_modules", "skip_modules", "linear_weights_not_to_quantize",
    ];

    /// <summary>Algorithms of modelopt whose weights are e4m3 with a scale that is read.</summary>
    private static readonly HashSet<string> _readableAlgorithms = new(StringComparer.OrdinalIgnoreCase) { "FP8", "FP8_PER_CHANNEL_PER_TOKEN", "FP8_PB_WO", "FP8_PB_REAL" };

    private readonly List<NameList> _ignored = [];

    // The first that names a module decides; one without a list stands for all modules. No obstacle: its weights can be read.
    private readonly List<(NameList? Targets, string? Obstacle)> _groups = [];

    private readonly MatchBudget _compiling;

    private string _tool = string.Empty;

    private QuantizationScheme(MatchBudget compiling) => _compiling = compiling;

    /// <summary>An entry that nobody can judge here; null when there is none.</summary>
    public string? NotUnderstood => _ignored.Concat(_groups.Select(static group => group.Targets)).Select(static list => list?.NotUnderstood).FirstOrDefault(static entry => entry is not null);

    /// <summary>Reads a section.</summary>
    /// <param name="section">The section.</param>
    /// <param name="compiling">What may be spent on compiling its lists.</param>
    public static QuantizationScheme Of(JsonValue section, MatchBudget compiling)
    {
        // hf_quant_config.json nests what config.json states flat.
        if (section.Find("quantization")?.Value is { Kind: JsonKind.Object } nested && section.Find("quant_algo") is null && section.Find("config_groups") is null)
        {
            section = nested;
        }

        var scheme = new QuantizationScheme(compiling);
        string? method = Text(section, "quant_method")?.ToLowerInvariant();
        bool hasGroups = section.Find("config_groups") is not null;
        scheme._tool = method ?? (section.Find("quant_algo") is not null ? "modelopt" : hasGroups ? "compressed-tensors" : section.Find("bits") is not null && section.Find("group_size") is not null ? "mlx" : "no quant_method");

        // compressed-tensors and quark compare whole names; the others look for an entry within a name.
        bool matchesParts = scheme._tool is not ("compressed-tensors" or "quark");
        scheme._ignored.AddRange(_ignoreKeys.Select(key => new NameList(Texts(section.Find(key)?.Value), matchesParts, compiling)));
        switch (scheme._tool)
        {
            case "compressed-tensors":
                scheme.AddGroups(section);
                break;
            case "modelopt" or "modelopt_fp4" or "modelopt_mixed":
                scheme.AddAlgorithms(section);
                break;
            case "quark":
                scheme.AddQuark(section);
                break;
            case "fp8":
                scheme._groups.Add((null, Fp8Obstacle(section)));
                break;
            case "fbgemm_fp8":
                scheme._groups.Add((null, null));
                break;
            case "mlx":
                scheme.AddMlx(section);
                break;
            default:
                scheme.AddOther(section);
                break;
        }

        return scheme;
    }

    /// <summary>How a module is quantized if it cannot be read; null if it can.</summary>
    /// <param name="names">The spellings of its name.</param>
    /// <param name="budget">What may be spent on comparing names.</param>
    public string? Obstacle(string[] names, MatchBudget budget)
    {
        if (_ignored.Exists(list => Names(list, names, budget)))
        {
            return null;
        }

        foreach ((NameList? targets, string? obstacle) in _groups)
        {
            // An entry that is not understood might name the module.
            if (targets is null || targets.NotUnderstood is not null || Names(targets, names, budget))
            {
                return obstacle;
            }
        }

        return null;
    }

    private static bool Names(NameList list, string[] names, MatchBudget budget) => Array.Exists(names, name => list.Matches(name, budget));

    private void AddGroups(JsonValue section)
    {
        string? format = Text(section, "format");
        foreach (JsonProperty group in section.Find("config_groups")?.Value.Properties ?? [])
        {
            string? obstacle = format == "dense" ? null : WeightsObstacle(group.Value.Find("weights")?.Value, Text(group.Value, "format") ?? format);
            _groups.Add((Targets(Texts(group.Value.Find("targets")?.Value)), obstacle));
        }

        // A name says more than a class: Python's order of groups does not matter, either.
        (NameList? Targets, string? Obstacle)[] sorted = [.. _groups.OrderBy(static group => group.Targets is null)];
        _groups.Clear();
        _groups.AddRange(sorted);

        // What is done to all weights is done to those, too, that a group names.
        if (section.Find("transform_config")?.Value.Find("config_groups")?.Value is { Properties.IsEmpty: false })
        {
            _groups.Insert(0, (null, _tool + ", with a transform_config"));
        }

        if (Text(section.Find("sparsity_config")?.Value, "format") is { } sparse and not "dense")
        {
            _groups.Insert(0, (null, $"{_tool}, {Shorten(sparse)}"));
        }

        if (_groups.Count == 0)
        {
            _groups.Add((null, _tool + " without config_groups"));
        }
    }

    /// <summary>A list of targets; null for one that names the class of all matrices.</summary>
    private NameList? Targets(IEnumerable<string> targets)
    {
        string[] all = [.. targets];
        return Array.Exists(all, static target => target.EndsWith("Linear", StringComparison.OrdinalIgnoreCase) && target.IndexOf('.') < 0 && !target.StartsWith("re:", StringComparison.Ordinal)) ? null : new NameList(all, matchesParts: false, _compiling);
    }

    private string? WeightsObstacle(JsonValue? weights, string? format)
    {
        if (weights is not { Kind: JsonKind.Object })
        {
            return null;
        }

        int bits = weights.Find("num_bits")?.Value is { } value && value.TryGetInt32(out int number) ? number : 0;
        string type = Text(weights, "type") ?? "int";
        JsonValue? group = weights.Find("group_size")?.Value;
        string strategy = Text(weights, "strategy") ?? (group is null or { Kind: JsonKind.Null } ? "tensor" : "group");
        bool isSymmetric = weights.Find("symmetric")?.Value.Kind != JsonKind.False;
        bool isRead = strategy is "tensor" or "channel" || (strategy == "block" && IsBlock(weights.Find("block_structure")?.Value));
        if (bits == 8 && type == "float" && isSymmetric && isRead)
        {
            return null;
        }

        string shape = strategy == "block" ? $"block of {weights.Find("block_structure")?.Value.ToString() ?? "unknown size"}" : strategy == "group" ? $"group of {group?.ToString() ?? "unknown size"}" : strategy;
        string packing = format is null ? string.Empty : ", " + Shorten(format);
        return string.Format(CultureInfo.InvariantCulture, "{0}: {1}{2}{3}, a scale for each {4}{5}", _tool, Shorten(type), bits, isSymmetric ? string.Empty : " with zero points", Shorten(shape), packing);
    }

    private void AddAlgorithms(JsonValue section)
    {
        foreach (JsonProperty layer in section.Find("quantized_layers")?.Value.Properties ?? [])
        {
            _groups.Add((new NameList([layer.Name], matchesParts: true, _compiling), Algorithm(Text(layer.Value, "quant_algo"))));
        }

        string? algorithm = Text(section, "quant_algo");
        if (algorithm is not null && !(algorithm == "MIXED_PRECISION" && _groups.Count > 0))
        {
            _groups.Add((null, Algorithm(algorithm)));
        }
        else if (algorithm is null && section.Find("config_groups") is not null)
        {
            AddGroups(section);
        }
    }

    private string? Algorithm(string? name) => name is null || _readableAlgorithms.Contains(name) ? null : $"{_tool}: {Shorten(name)}";

    private void AddQuark(JsonValue section)
    {
        // Rounded to the quantized values and stored whole.
        bool isWhole = Text(section.Find("export")?.Value, "weight_format") == "fake_quantized";
        foreach (JsonProperty layer in section.Find("layer_quant_config")?.Value.Properties ?? [])
        {
            _groups.Add((new NameList([layer.Name], matchesParts: false, _compiling), isWhole ? null : QuarkObstacle(layer.Value)));
        }

        foreach (JsonProperty type in section.Find("layer_type_quant_config")?.Value.Properties ?? [])
        {
            if (type.Name.EndsWith("Linear", StringComparison.OrdinalIgnoreCase))
            {
                _groups.Add((null, isWhole ? null : QuarkObstacle(type.Value)));
            }
        }

        _groups.Add((null, isWhole ? null : QuarkObstacle(section.Find("global_quant_config")?.Value)));
    }

    private string? QuarkObstacle(JsonValue? config)
    {
        JsonValue? weight = config?.Find("weight")?.Value;
        if (weight is null or { Kind: JsonKind.Null })
        {
            return null;
        }

        string type = Text(weight, "dtype") ?? "unknown";
        string scheme = Text(weight, "qscheme") ?? "unknown";
        return type is "fp8_e4m3" or "fp8" && scheme is "per_tensor" or "per_channel" ? null : $"{_tool}: {Shorten(type)}, {Shorten(scheme)}";
    }

    private static string? Fp8Obstacle(JsonValue section)
    {
        JsonValue? format = section.Find("fmt")?.Value;
        if (format is { Kind: not JsonKind.Null } and not { Kind: JsonKind.String, Text: "e4m3" or "float8_e4m3fn" })
        {
            return $"fp8: the format is {format}";
        }

        JsonValue? block = section.Find("weight_block_size")?.Value;
        return block is null or { Kind: JsonKind.Null } || IsBlock(block) ? null : $"fp8: blocks of {block}";
    }

    private static bool IsBlock(JsonValue? block) => block is { Kind: JsonKind.Array, Items: { Length: 2 } sides } && sides.All(static side => side.TryGetInt32(out int size) && size == Block);

    /// <summary>MLX lists the modules that it leaves alone among its settings.</summary>
    private void AddMlx(JsonValue section)
    {
        _ignored.Add(new NameList(section.Properties.Where(static property => property.Value.Kind == JsonKind.False).Select(static property => property.Name), matchesParts: false, _compiling));
        _groups.Add((null, $"{_tool}: {Bits(section.Find("bits")!.Value)} in groups of {section.Find("group_size")!.Value}"));
    }

    private void AddOther(JsonValue section)
    {
        // gptqmodel names what it leaves alone "-:expression".
        _ignored.Add(new NameList(
            (section.Find("dynamic")?.Value.Properties ?? []).Select(static property => property.Name).Where(static name => name.StartsWith("-:", StringComparison.Ordinal)).Select(static name => "re:" + name.Substring(2)),
            matchesParts: false,
            _compiling));

        // auto-round names what keeps its sixteen bits.
        _ignored.Add(new NameList(
            (section.Find("extra_config")?.Value.Properties ?? []).Where(static property => property.Value.Find("bits")?.Value is { } bits && bits.TryGetInt32(out int number) && number >= 16).Select(static property => property.Name),
            matchesParts: true,
            _compiling));

        string[] only = [.. (section.Find("modules_in_block_to_quantize")?.Value.Items ?? []).SelectMany(Texts)];
        _groups.Add((only.Length == 0 ? null : new NameList(only, matchesParts: true, _compiling), Describe(section)));
    }

    private string Describe(JsonValue section)
    {
        bool isEight = section.Find("load_in_8bit")?.Value.Kind == JsonKind.True;
        bool isFour = section.Find("load_in_4bit")?.Value.Kind == JsonKind.True;
        string bits = isEight ? ": 8 bits" : isFour ? ": 4 bits" : section.Find("bits")?.Value is { Kind: JsonKind.Number } value ? ": " + Bits(value) : string.Empty;
        return Shorten(_tool) + bits;
    }

    private static string Bits(JsonValue value) => value.TryGetInt32(out int number) ? Counted.Of(number, "bit") : value + " bits";

    private static string? Text(JsonValue? section, string key) => section?.Find(key)?.Value is { Kind: JsonKind.String, Text: { Length: > 0 } text } ? text : null;

    /// <summary>The strings of a list, or the one that stands in its place.</summary>
    private static IEnumerable<string> Texts(JsonValue? section) => section switch
    {
        { Kind: JsonKind.String } => [section.Text],
        { Kind: JsonKind.Array } => section.Items.Where(static item => item.Kind == JsonKind.String).Select(static item => item.Text),
        _ => [],
    };

    private static string Shorten(string text) => Unprintable.Escape(text, 40);
}
