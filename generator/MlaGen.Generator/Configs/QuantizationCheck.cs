namespace MlaGen.Generator.Configs;

/// <summary>Whether the attention weights come in a form that can be loaded: whole, or in fp8 with one scale for each block of 128 by 128.</summary>
internal static class QuantizationCheck
{
    private const int Block = 128;

    public static void Check(ConfigObject config, ProblemSink sink)
    {
        foreach (string name in new[] { "quantization_config", "compression_config", "quantization" })
        {
            if (config.Object(name) is { } section && Obstacle(section) is { } obstacle)
            {
                JsonProperty place = section.Find("quant_method") ?? config.Find(name)!;
                sink.Add(ConfigRules.UnsupportedQuantization, place.Value.Kind == JsonKind.Object ? place.NameSpan : place.Span, obstacle);
            }
        }
    }

    private static string? Obstacle(JsonValue section) => section.Find("quant_method")?.Value switch
    {
        { Kind: JsonKind.String, Text: "fp8" } => Fp8Obstacle(section),
        { Kind: JsonKind.String, Text: "compressed-tensors" } => LeavesAttention(section)
            ? null
            : "compressed-tensors is read only when its 'ignore' list has 're:.*self_attn.*', so that attention is not quantized",
        { } method => $"the method {method} is not known; expected \"fp8\"",
        null => "there is no quant_method; expected \"fp8\"",
    };

    private static string? Fp8Obstacle(JsonValue section)
    {
        JsonValue? format = section.Find("fmt")?.Value;
        if (format is { Kind: not JsonKind.Null } and not { Kind: JsonKind.String, Text: "e4m3" })
        {
            return $"the fp8 format is {format}; expected \"e4m3\"";
        }

        JsonValue? block = section.Find("weight_block_size")?.Value;
        return block is { Kind: JsonKind.Array, Items: { Length: 2 } sides } && sides.All(static side => side.TryGetInt32(out int size) && size == Block)
            ? null
            : $"the weight_block_size is {block?.ToString() ?? "absent"}; expected [128, 128]";
    }

    /// <summary>Kimi's later models quantize experts only. A pattern is compared as text, not run: it comes from a file.</summary>
    private static bool LeavesAttention(JsonValue section)
        => section.Find("ignore")?.Value.Items.Any(static item => item.Text is "re:.*self_attn.*" or "re:.*self_attn" or "re:.*\\.self_attn\\..*") ?? false;
}
