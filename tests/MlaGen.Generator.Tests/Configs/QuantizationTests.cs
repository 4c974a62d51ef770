using System.Globalization;
using MlaGen.Generator.Configs;
using MlaGen.Generator.Model;

namespace MlaGen.Generator.Tests.Configs;

/// <summary>Quantizations by what they do to attention: left alone or readable, they are accepted; else the class must hold decoded weights.</summary>
public class QuantizationTests
{
    private const string All = "q_a_proj, q_b_proj, kv_a_proj_with_mqa, kv_b_proj, o_proj are quantized ";
    private const string Int4 = "\"weights\":{\"num_bits\":4,\"type\":\"int\",\"strategy\":\"group\",\"group_size\":32}";
    private const string Fp4 = "\"weight\":{\"dtype\":\"fp4\",\"qscheme\":\"per_group\",\"group_size\":32}";

    [Theory]
    [InlineData("{\"quant_method\":\"awq\",\"bits\":4,\"modules_to_not_convert\":null}", "(awq: 4 bits)")]
    [InlineData("{\"quant_method\":\"gptq\",\"bits\":8,\"modules_to_not_convert\":[\"lm_head\",\"mlp\"]}", "(gptq: 8 bits)")]
    [InlineData("{\"quant_method\":\"bitsandbytes\",\"load_in_4bit\":true,\"llm_int8_skip_modules\":[\"lm_head\"]}", "(bitsandbytes: 4 bits)")]
    [InlineData("{\"bits\":4}", "(no quant_method: 4 bits)")]
    [InlineData("{\"quant_method\":\"binary\",\"bits\":1}", "(binary: 1 bit)")]
    [InlineData("{\"quant_method\":\"exl3\",\"bits\":3.5}", "(exl3: 3.5 bits)")]
    [InlineData("{\"group_size\":64,\"bits\":1}", "(mlx: 1 bit in groups of 64)")]
    [InlineData("{\"quant_method\":\"a\\u202eb\\u001bcdefghijklmnopqrstuvwxyz0123456789ABCDEF\"}", "(a\\u202eb\\u001bcdefghijklmnopqrstuvwxyz0123456789ab…)")]
    [InlineData("{\"group_size\":64,\"bits\":4,\"mode\":\"affine\"}", "(mlx: 4 bits in groups of 64)")]
    [InlineData("{\"quant_method\":\"fp8\",\"weight_block_size\":[64,64]}", "(fp8: blocks of [64, 64])")]
    [InlineData("{\"quant_method\":\"fp8\",\"weight_block_size\":[128,128],\"fmt\":\"e5m2\"}", "(fp8: the format is \"e5m2\")")]
    [InlineData("{\"quant_method\":\"modelopt\",\"quant_algo\":\"NVFP4\",\"ignore\":[\"lm_head\",\"*mlp*\"]}", "(modelopt: NVFP4)")]
    [InlineData("{\"quantization\":{\"quant_algo\":\"NVFP4\",\"exclude_modules\":[\"lm_head\"]}}", "(no quant_method)")]
    [InlineData("{\"quant_method\":\"quark\",\"exclude\":[\"lm_head\"],\"global_quant_config\":{" + Fp4 + "}}", "(quark: fp4, per_group)")]
    [InlineData("{\"quant_method\":\"quark\",\"layer_quant_config\":{\"*self_attn*\":{" + Fp4 + "}},\"global_quant_config\":{\"weight\":null}}", "(quark: fp4, per_group)")]
    [InlineData("{\"quant_method\":\"compressed-tensors\",\"ignore\":[\"lm_head\"],\"config_groups\":{\"g\":{\"targets\":[\"Linear\"]," + Int4 + "}}}", "(compressed-tensors: int4, a scale for each group of 32)")]
    [InlineData("{\"quant_method\":\"compressed-tensors\",\"config_groups\":{\"g\":{\"targets\":[\"re:.*self_attn.*\"]," + Int4 + "},\"h\":{\"targets\":[\"Linear\"]}}}", "(compressed-tensors: int4, a scale for each group of 32)")]
    [InlineData("{\"quant_method\":\"compressed-tensors\",\"config_groups\":{\"g\":{\"targets\":[\"Linear\"],\"weights\":{\"num_bits\":8,\"type\":\"float\",\"strategy\":\"block\",\"block_structure\":[64,64]}}}}", "(compressed-tensors: float8, a scale for each block of [64, 64])")]
    [InlineData("{\"quant_method\":\"compressed-tensors\",\"config_groups\":{\"g\":{\"targets\":[\"Linear\"],\"weights\":{\"num_bits\":8,\"type\":\"int\",\"strategy\":\"channel\"}}}}", "(compressed-tensors: int8, a scale for each channel)")]
    public void Quantized_attention_is_refused_and_accepted_for_decoded_weights(string section, string how)
    {
        foreach (string key in new[] { "quantization_config", "compression_config", "quantization" })
        {
            string json = Config((key, section));
            ParsedConfig config = ConfigRun.Parse(json);

            // hf_quant_config.json nests a "quantization" of its own, which may stand by itself.
            string expected = section.Contains("exclude_modules", StringComparison.Ordinal) ? "(modelopt: NVFP4)" : how;
            Assert.Equal(All + expected, config.Model.Quantization);
            Assert.Null(ConfigRun.Resolve(config));
            Assert.NotNull(ConfigRun.Resolve(config, new MlaSettings { DecodedWeights = true }));
        }
    }

    [Theory]
    [InlineData("null")]
    [InlineData("{\"quant_method\":\"fp8\",\"fmt\":\"e4m3\",\"activation_scheme\":\"dynamic\",\"scale_fmt\":\"ue8m0\",\"weight_block_size\":[128,128]}")]
    [InlineData("{\"quant_method\":\"fp8\"}")]
    [InlineData("{\"quant_method\":\"fp8\",\"activation_scheme\":\"static\",\"weight_block_size\":null}")]
    [InlineData("{\"quant_method\":\"fp8\",\"weight_block_size\":[64,64],\"modules_to_not_convert\":[\"self_attn\"]}")]
    [InlineData("{\"quant_method\":\"fbgemm_fp8\"}")]
    [InlineData("{\"quant_method\":\"awq\",\"modules_to_not_convert\":[\"lm_head\",\"self_attn\"]}")]
    [InlineData("{\"quant_method\":\"gptq\",\"bits\":4,\"modules_in_block_to_quantize\":[[\"mlp.experts\"],[\"mlp.up_proj\"]]}")]
    [InlineData("{\"quant_method\":\"gptq\",\"bits\":4,\"dynamic\":{\"-:.*\\\\.self_attn\\\\.\":{}}}")]
    [InlineData("{\"quant_method\":\"bitsandbytes\",\"load_in_4bit\":true,\"llm_int8_skip_modules\":[\"model.layers.0.self_attn\",\"model.layers.1.self_attn\"]}")]
    [InlineData("{\"group_size\":64,\"bits\":4,\"model.layers.0.self_attn.q_a_proj\":false,\"model.layers.0.self_attn.q_b_proj\":false,\"model.layers.0.self_attn.kv_a_proj_with_mqa\":false,\"model.layers.0.self_attn.kv_b_proj\":false,\"model.layers.0.self_attn.o_proj\":false,\"model.layers.1.self_attn.q_a_proj\":false,\"model.layers.1.self_attn.q_b_proj\":false,\"model.layers.1.self_attn.kv_a_proj_with_mqa\":false,\"model.layers.1.self_attn.kv_b_proj\":false,\"model.layers.1.self_attn.o_proj\":false}")]
    [InlineData("{\"quant_method\":\"modelopt\",\"quant_algo\":\"NVFP4\",\"ignore\":[\"lm_head\",\"model.layers.0*\",\"model.layers.1.self_attn*\"]}")]
    [InlineData("{\"quant_method\":\"modelopt\",\"quant_algo\":\"NVFP4\",\"exclude_modules\":[\"*self_attn*\"],\"kv_cache_quant_algo\":\"FP8\"}")]
    [InlineData("{\"quant_method\":\"modelopt\",\"quant_algo\":\"FP8\"}")]
    [InlineData("{\"producer\":{\"name\":\"modelopt\"},\"quantization\":{\"quant_algo\":\"NVFP4\",\"exclude_modules\":[\"model.layers.[01].self_attn.*\"]}}")]
    [InlineData("{\"quant_method\":\"modelopt\",\"quant_algo\":\"MIXED_PRECISION\",\"quantized_layers\":{\"model.layers.0.mlp.experts\":{\"quant_algo\":\"NVFP4\"}}}")]
    [InlineData("{\"quant_method\":\"quark\",\"exclude\":[\"re:.*self_attn.*\"],\"global_quant_config\":{" + Fp4 + "}}")]
    [InlineData("{\"quant_method\":\"quark\",\"layer_quant_config\":{\"*.mlp.experts.*\":{" + Fp4 + "}},\"global_quant_config\":{\"weight\":null}}")]
    [InlineData("{\"quant_method\":\"quark\",\"global_quant_config\":{\"weight\":{\"dtype\":\"fp8_e4m3\",\"qscheme\":\"per_channel\"}}}")]
    [InlineData("{\"quant_method\":\"compressed-tensors\",\"format\":\"pack-quantized\",\"kv_cache_scheme\":null,\"ignore\":[\"lm_head\",\"re:.*self_attn.*\"]}")]
    [InlineData("{\"quant_method\":\"compressed-tensors\",\"ignore\":[\"re:model\\\\.layers\\\\.\\\\d+\\\\.self_attn\\\\.(q|kv|o)_\\\\w+$\"],\"config_groups\":{\"g\":{\"targets\":[\"Linear\"]," + Int4 + "}}}")]
    [InlineData("{\"quant_method\":\"compressed-tensors\",\"config_groups\":{\"g\":{\"targets\":[\"re:.*mlp.experts.*\"]," + Int4 + "}}}")]
    [InlineData("{\"quant_method\":\"compressed-tensors\",\"config_groups\":{\"g\":{\"targets\":[\"re:^(?!.*self_attn).*_proj$\"]," + Int4 + "}}}")]
    [InlineData("{\"quant_method\":\"compressed-tensors\",\"format\":\"dense\",\"config_groups\":{\"g\":{\"targets\":[\"Linear\"]," + Int4 + "}}}")]
    [InlineData("{\"quant_method\":\"compressed-tensors\",\"config_groups\":{\"g\":{\"targets\":[\"Linear\"],\"weights\":{\"num_bits\":8,\"type\":\"float\",\"strategy\":\"block\",\"block_structure\":[128,128]}}}}")]
    [InlineData("{\"quant_method\":\"compressed-tensors\",\"config_groups\":{\"g\":{\"targets\":[\"Linear\"],\"weights\":{\"num_bits\":8,\"type\":\"float\",\"strategy\":\"channel\"}}}}")]
    [InlineData("{\"quant_method\":\"compressed-tensors\",\"config_groups\":{\"g\":{\"targets\":[\"Linear\"]," + Int4 + "},\"h\":{\"targets\":[\"re:.*self_attn.*\"],\"weights\":{\"num_bits\":8,\"type\":\"float\",\"strategy\":\"tensor\"}}}}")]
    public void Attention_that_is_left_alone_or_readable_is_accepted(string section)
    {
        ParsedConfig config = ConfigRun.Parse(Config(("quantization_config", section)));

        Assert.Empty(config.Problems.Select(ConfigRun.Show));
        Assert.Null(config.Model.Quantization);
        Assert.NotNull(ConfigRun.Resolve(config));
    }

    [Fact]
    public void Projections_and_layers_that_a_list_leaves_out_are_named()
        => Assert.Equal(
            "q_b_proj, o_proj (layer 1) are quantized (modelopt: NVFP4)",
            Quantization("{\"quant_method\":\"modelopt\",\"quant_algo\":\"NVFP4\",\"ignore\":[\"model.layers.0*\",\"*kv_*\",\"*q_a_proj\"]}"));

    // Weights that are turned, or stored without their zeros, are so whatever a group makes of them.
    [Theory]
    [InlineData("transform_config", "{\"config_groups\":{\"u\":{\"type\":\"hadamard\"}}}", "(compressed-tensors, with a transform_config)")]
    [InlineData("sparsity_config", "{\"format\":\"sparse-24-bitmask\"}", "(compressed-tensors, sparse-24-bitmask)")]
    public void What_is_done_to_all_weights_is_done_to_those_that_a_readable_group_names(string key, string value, string how)
    {
        const string Float8 = "\"weights\":{\"num_bits\":8,\"type\":\"float\",\"strategy\":\"channel\"}";
        foreach (string targets in new[] { "\"Linear\"", "\"re:.*self_attn.*\"", "\"re:.*q_a_proj\",\"re:.*_proj.*\"" })
        {
            foreach (string other in new[] { "", $",\"h\":{{\"targets\":[\"Linear\"],{Int4}}}" })
            {
                string groups = $"\"config_groups\":{{\"g\":{{\"targets\":[{targets}],{Float8}}}{other}}}";

                Assert.Equal(All + how, Quantization($"{{\"quant_method\":\"compressed-tensors\",{groups},\"{key}\":{value}}}"));
                Assert.Equal(All + how, Quantization($"{{\"quant_method\":\"compressed-tensors\",\"{key}\":{value},{groups}}}"));
            }
        }
    }

    // Files of these types name their layers' attention in another way, and may say whose they are by their class alone.
    [Theory]
    [InlineData("bailing_hybrid", "BailingMoeV2_5ForCausalLM", "attention")]
    [InlineData("bailing_moe_linear", "BailingMoeLinearForCausalLM", "attention")]
    [InlineData("longcat_flash", "LongcatFlashForCausalLM", "self_attn.0", "self_attn.1")]
    [InlineData("longcat_flash_ngram", "LongcatFlashNgramForCausalLM", "self_attn.0", "self_attn.1")]
    [InlineData("deepseek_v3", "DeepseekV3ForCausalLM", "self_attn")]
    public void Attention_is_looked_for_under_the_names_of_its_family(string type, string name, params string[] attentions)
    {
        string[] ignored = [.. Enumerable.Range(0, 2).SelectMany(layer => attentions.Select(attention => $"\"re:model\\\\.layers\\\\.{layer}\\\\.{attention}\\\\.[a-z_]+$\""))];
        (string, string?)[] typed = [("model_type", $"\"{type}\""), ("architectures", null)];
        (string, string?)[] untyped = [("model_type", null), ("architectures", $"[\"{name}\"]")];
        (string, string?)[] unknown = [("model_type", "\"mine\""), ("architectures", $"[\"{name}\"]")];
        foreach ((string, string?)[] family in new[] { typed, untyped, unknown })
        {
            Assert.Null(Of(family, ignored));
            Assert.All(ignored, one => Assert.Contains("are quantized", Of(family, ignored.Where(entry => entry != one)), StringComparison.Ordinal));
        }

        static string? Of((string, string?)[] family, IEnumerable<string> ignored) => ConfigRun.Parse(ConfigRun.With(
            Config(("rope_scaling", null), ("quantization_config", $"{{\"quant_method\":\"compressed-tensors\",\"ignore\":[{string.Join(',', ignored)}],\"config_groups\":{{\"g\":{{\"targets\":[\"Linear\"],{Int4}}}}}}}")),
            family)).Model.Quantization;
    }

    [Fact]
    public void Lists_of_a_nested_model_speak_of_it_by_its_outer_name_and_the_outer_section_decides()
    {
        const string Inner = "{\"quant_method\":\"awq\",\"bits\":4}";
        const string Outer = "{\"quant_method\":\"modelopt\",\"quant_algo\":\"NVFP4\",\"ignore\":[\"language_model.model.layers.0.self_attn*\",\"language_model.model.layers.1*\",\"vision_tower*\"]}";
        string tower = Config(("quantization_config", Inner));

        Assert.Null(ConfigRun.Parse($"{{\"model_type\":\"kimi_k25\",\"text_config\":{tower},\"quantization_config\":{Outer}}}").Model.Quantization);
        Assert.Equal(All + "(awq: 4 bits)", ConfigRun.Parse($"{{\"model_type\":\"kimi_k25\",\"text_config\":{tower}}}").Model.Quantization);
    }

    [Fact]
    public async Task What_several_sections_say_is_reported_once_with_projections_and_the_way_out()
    {
        const string Section = "{\"group_size\":64,\"bits\":4}";
        string json = Config(("quantization", Section), ("quantization_config", Section));

        string message = Assert.Single(await ConfigProject.Of(json).Analyze()).GetMessage(CultureInfo.InvariantCulture);
        Assert.StartsWith($"The quantization cannot be read: {All}(mlx: 4 bits in groups of 64). ", message, StringComparison.Ordinal);
        Assert.Contains("DecodedWeights = true on the class", message, StringComparison.Ordinal);
        ConfigProject decoded = ConfigProject.Of(json, ConfigProject.OneClass.Replace("\"model\"", "\"model\", DecodedWeights = true", StringComparison.Ordinal));
        Assert.Empty(await decoded.Analyze());
        Assert.NotEmpty(decoded.Generate().GeneratedSources);
    }

    [Fact]
    public void An_entry_that_is_not_understood_leaves_nothing_alone_and_is_named()
    {
        Assert.Equal(
            All + "(modelopt: NVFP4), as far as can be told without the entry 're:(?i).*SELF_ATTN.*', which is not understood",
            Quantization("{\"quant_method\":\"modelopt\",\"quant_algo\":\"NVFP4\",\"ignore\":[\"re:(?i).*SELF_ATTN.*\"]}"));
        Assert.StartsWith(All, Quantization("{\"quant_method\":\"compressed-tensors\",\"config_groups\":{\"g\":{\"targets\":[\"re:(a)\\\\1\"]," + Int4 + "}}}"), StringComparison.Ordinal);
    }

    [Fact]
    public void Lists_of_any_size_end_by_a_count_of_steps()
    {
        string entries = string.Join(',', Enumerable.Range(0, 20_000).Select(static i => $"\"re:(.*.*.*.*.*x{i}|(a|aa)+)+$\""));
        string json = Config(("num_hidden_layers", "1024"), ("quantization_config", $"{{\"quant_method\":\"quark\",\"exclude\":[{entries}],\"global_quant_config\":{{{Fp4}}}}}"));

        Assert.Equal("its lists of modules are too long to be judged", ConfigRun.Parse(json).Model.Quantization);
    }

    [Fact]
    public void What_all_lists_of_a_section_are_compiled_into_is_limited_together()
    {
        string lists = string.Join(',', new[] { "ignore", "exclude", "modules_to_not_convert" }.Select(static key => $"\"{key}\":[{string.Join(',', Enumerable.Range(0, 200).Select(i => $"\"re:(x{{60}}){{60}}{key}{i}\""))}]"));

        Assert.StartsWith(All + "(modelopt: NVFP4), as far as can be told without the entry 're:(x{60}){60}", Quantization($"{{\"quant_method\":\"modelopt\",\"quant_algo\":\"NVFP4\",{lists}}}"), StringComparison.Ordinal);
    }

    [Fact]
    public void Lists_of_plain_names_end_by_a_count_of_steps_too()
    {
        string layers = string.Join(',', Enumerable.Range(0, 2_000).Select(static i => $"\"lm_head_{i}\":{{{Fp4}}}"));
        string json = Config(("num_hidden_layers", "1024"), ("quantization_config", $"{{\"quant_method\":\"quark\",\"layer_quant_config\":{{{layers}}}}}"));

        Assert.Equal("its lists of modules are too long to be judged", ConfigRun.Parse(json).Model.Quantization);
    }

    [Theory]
    [InlineData("hf_quant_config.json", "{\"producer\":{\"name\":\"modelopt\"},\"quantization\":{\"quant_algo\":\"NVFP4\",\"exclude_modules\":[\"lm_head\"]}}")]
    public void A_file_about_quantization_alone_names_the_one_to_use(string name, string json)
        => Assert.Contains("as " + name + " does; the model's config.json beside it is the one to name", Assert.Single(ConfigRun.Problems(json)), StringComparison.Ordinal);

    private static string? Quantization(string section) => ConfigRun.Parse(Config(("quantization_config", section))).Model.Quantization;

    private static string Config(params (string Key, string? Value)[] members)
        => ConfigRun.With(ConfigRun.With(ConfigRun.DeepSeekV3, ("num_hidden_layers", "2")), members);
}
