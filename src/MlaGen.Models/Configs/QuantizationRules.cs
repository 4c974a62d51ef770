namespace MlaGen.Models;

/// <summary>
/// What <c>quantization_config</c> may say: fp8 of tools whose scales are read, or weights packed as compressed-tensors does (<c>pack-quantized</c>), symmetric codes of four
/// bits. Which weights they are, and in which groups, is found in the checkpoint.
/// </summary>
internal static class QuantizationRules
{
    /// <exception cref="ModelConfigException">Weights are kept in a way that is not read.</exception>
    public static void Check(ConfigSection config)
    {
        if (config.Section("quantization_config") is not { } quantization)
        {
            return;
        }

        if (quantization.Has("quant_method"))
        {
            quantization.Word("quant_method", null, "fp8", "compressed-tensors", "fbgemm_fp8", "modelopt", "quark");
        }

        if (!quantization.IsText("format") || quantization.Text("format") != "pack-quantized")
        {
            return;
        }

        ConfigSection groups = quantization.Section("config_groups") ?? throw quantization.Wrong("config_groups", "an object", "nothing");
        foreach (ConfigSection group in groups.Sections())
        {
            ConfigSection weights = group.Section("weights") ?? throw group.Wrong("weights", "an object", "nothing");
            const int Bits = 4;
            weights.Integer("num_bits", Bits, Bits);
            weights.Word("type", "int", "int");
            if (!weights.Flag("symmetric", true))
            {
                throw weights.Wrong("symmetric", "true", "false");
            }

            const int Unit = 32;
            if (weights.Word("strategy", "group", "group", "channel") == "group" && weights.Integer("group_size", Unit, 1 << 16) % Unit != 0)
            {
                throw weights.Wrong("group_size", FormattableString.Invariant($"a multiple of {Unit}"), FormattableString.Invariant($"{weights.Integer("group_size", Unit, 1 << 16)}"));
            }
        }
    }
}
