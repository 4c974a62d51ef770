using MlaGen.Models.Tests.Golden;

namespace MlaGen.Models.Tests.Configs;

/// <summary>Configurations that cannot be, and those that no class was generated for.</summary>
public class ModelConfigTests
{
    [Theory]
    [InlineData("deepseek-v3", "vocab_size", "0", "vocab_size: expected a number from 1 to 16777216, found 0")]
    [InlineData("deepseek-v3", "vocab_size", "1e300", "vocab_size: expected a number from 1 to 16777216, found 1e300")]
    [InlineData("deepseek-v3", "vocab_size", "1.5", "vocab_size: expected a number from 1 to 16777216, found 1.5")]
    [InlineData("deepseek-v3", "vocab_size", "\"320\"", "vocab_size: expected a number from 1 to 16777216, found \"320\"")]
    [InlineData("deepseek-v3", "vocab_size", null, "vocab_size: expected a number from 1 to 16777216, found nothing")]
    [InlineData("deepseek-v3", "num_hidden_layers", "1000000000", "num_hidden_layers: expected a number from 1 to 4096, found 1000000000")]
    [InlineData("deepseek-v3", "model_type", "\"llama\"", "model_type: expected one of deepseek_v2, ")]
    [InlineData("deepseek-v3", "eos_token_id", "[1, 320]", "eos_token_id: expected tokens from 0 to 319, found [1,320]")]
    [InlineData("deepseek-v3", "n_group", "3", "n_group: expected a number that divides n_routed_experts, 8, found 3")]
    [InlineData("deepseek-v3", "n_group", "8", "n_group: expected a number from 1 to 4, found 8")]
    [InlineData("deepseek-v3", "topk_group", "5", "topk_group: expected a number from 1 to 4, found 5")]
    [InlineData("deepseek-v3", "num_experts_per_tok", "5", "num_experts_per_tok: expected a number from 1 to 4, found 5")]
    [InlineData("deepseek-v3", "first_k_dense_replace", "-1", "first_k_dense_replace: expected a number from 0 to 4096, found -1")]
    [InlineData("deepseek-v3", "moe_layer_freq", "2", "moe_layer_freq: expected a number from 1 to 1, found 2")]
    [InlineData("deepseek-v3", "hidden_act", "\"gelu\"", "hidden_act: expected \"silu\", found \"gelu\"")]
    [InlineData("deepseek-v3", "scoring_func", "\"softmax\"", "scoring_func: expected \"sigmoid\", found \"softmax\"")]
    [InlineData("deepseek-v3", "tie_word_embeddings", "1", "tie_word_embeddings: expected true or false, found 1")]
    [InlineData("deepseek-v2", "mlp_bias", "\"no\"", "mlp_bias: expected true or false, found \"no\"")]
    [InlineData("deepseek-v2", "n_group", null, "n_group: expected a number from 1 to 8, found nothing")]
    [InlineData("deepseek-v2", "num_experts_per_tok", null, "num_experts_per_tok: expected a number from 1 to 4, found nothing")]
    [InlineData("axk2", "n_group", "2", "topk_group: expected a number from 1 to 2, found nothing")]
    [InlineData("moonlight", "quantization_config", "{\"quant_method\": \"gptq\", \"bits\": 4}", "quantization_config.quant_method: expected \"fp8\" or \"compressed-tensors\" or")]
    [InlineData("deepseek-v3", "rope_parameters/rope_type", "\"dynamic\"", "rope_parameters.rope_type: expected \"default\" or \"yarn\" or \"longrope\", found \"dynamic\"")]
    [InlineData("deepseek-v3", "rope_parameters/factor", "-2", "rope_parameters.factor: expected a number from 1 to 1000000000, found -2")]
    [InlineData("deepseek-v2", "topk_method", "\"noaux_tc\"", "topk_method: expected \"greedy\" or \"group_limited_greedy\", found \"noaux_tc\"")]
    [InlineData("glm-4.7-flash", "mlp_layer_types", "[\"dense\", \"sparse\"]", "mlp_layer_types: expected 3 of \"dense\" or \"sparse\", found [\"dense\",\"sparse\"]")]
    [InlineData("longcat-flash", "moe_topk", "10", "moe_topk: expected a number from 1 to 9, found 10")]
    [InlineData("longcat-flash", "zero_expert_num", "-1", "zero_expert_num: expected a number from 0 to 16384, found -1")]
    [InlineData("longcat-flash", "num_layers", "1000000", "num_layers: expected a number from 1 to 2048, found 1000000")]
    [InlineData("minicpm3", "dim_model_base", "0", "dim_model_base: expected a number from 1 to 1048576, found 0")]
    [InlineData("minicpm3", "intermediate_size", "[]", "intermediate_size: expected a number from 1 to 1048576, found []")]
    public void What_cannot_be_is_refused_by_key_with_what_was_expected_and_found(string name, string key, string? json, string problem)
    {
        using ModelDirectory directory = new ModelDirectory(name).With(key, json);

        ModelConfigException error = Assert.Throws<ModelConfigException>(() => LanguageModel.Load(directory.Path, TinyModels.Classes));

        Assert.StartsWith($"{directory.Config}: {problem}", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("moonlight", "n_routed_experts", "4", "num_experts_per_tok", "from 1 to 4, found nothing, which is 8")]
    [InlineData("deepseek-v3", "n_group", "1", "topk_group", "from 1 to 1, found nothing, which is 4")]
    [InlineData("longcat-flash", "zero_expert_num", "0", "moe_topk", "found nothing, which is 12")]
    public void What_an_absent_key_stands_for_has_its_range_too(string name, string key, string json, string absent, string problem)
    {
        using ModelDirectory directory = new ModelDirectory(name).With(key, json).With(absent, null);

        string found = Assert.Throws<ModelConfigException>(() => ModelConfig.Read(directory.Path)).Message;
        Assert.Contains($"{absent}: expected a number ", found, StringComparison.Ordinal);
        Assert.Contains(problem, found, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("kv_lora_rank", "48", "kv_lora_rank is 48, but the class has 32")]
    [InlineData("num_attention_heads", "8", "num_attention_heads is 8, but the class has 4")]
    [InlineData("q_lora_rank", null, "q_lora_rank is 0, but the class has 48")]
    [InlineData("rope_parameters/factor", "20", "the softmax scale is")]
    [InlineData("rope_parameters/rope_theta", "50000", "rotary pair 1 turns by")]
    [InlineData("rope_parameters/mscale", "0.5", "the factor on cosine and sine is")]
    [InlineData("attention_bias", "true", "attention_bias is yes, but the class has no")]
    [InlineData("rope_interleave", "false", "pairs of the rotary part are HalfSplit, but the class has Interleaved")]
    public void A_model_that_fits_no_class_says_what_differs_and_which_two_lines_would_add_one(string key, string? json, string difference)
    {
        using ModelDirectory directory = new ModelDirectory("deepseek-v3").With(key, json);
        string folder = Path.GetFileName(directory.Path);

        ModelConfigException error = Assert.Throws<ModelConfigException>(() => LanguageModel.Load(directory.Path, [AttentionClass.Of<DeepSeekV3Attention>()]));

        Assert.StartsWith($"{directory.Config}: fits no class that there is (DeepSeekV3Attention does not: {difference}", error.Message, StringComparison.Ordinal);
        Assert.Contains($"\n    <MlaModelConfig Include=\"{folder}/config.json\" />\n    [MlaAttention(\"{folder}\")] public sealed partial class Mlagen", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("", "is empty")]
    [InlineData("{", "is not JSON")]
    [InlineData("[]", "expected a JSON object, found Array")]
    [InlineData("{}", "model_type: expected one of ")]
    public void A_file_that_is_no_configuration_is_refused(string text, string problem)
    {
        using ModelDirectory directory = new("youtu");
        File.WriteAllText(directory.Config, text);

        Assert.StartsWith($"{directory.Config}: {problem}", Assert.Throws<ModelConfigException>(() => ModelConfig.Read(directory.Path)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Tiny))]
    public void The_size_of_a_model_is_that_of_its_checkpoint(string name)
    {
        ModelSize size = ModelConfig.Read(TinyModels.PathOf(name)).Size;
        using Checkpoint checkpoint = Checkpoint.Open(TinyModels.PathOf(name));

        // Scales are none of its weights, and identity experts are stored without being read.
        long expected = 0;
        int routed = name == "longcat-flash" ? ModelConfig.Read(TinyModels.PathOf(name)).Text.Integer("n_routed_experts", 1, 1000) : int.MaxValue;
        foreach (CheckpointTensor tensor in checkpoint.Tensors)
        {
            string[] parts = tensor.Name.Split('.');
            int experts = Array.IndexOf(parts, "experts");
            if (!tensor.Name.EndsWith("_scale_inv", StringComparison.Ordinal)
                && !(experts >= 0 && int.TryParse(parts[experts + 1], System.Globalization.CultureInfo.InvariantCulture, out int expert) && expert >= routed))
            {
                expected += tensor.Shape.Aggregate(1L, static (product, dimension) => product * dimension);
            }
        }

        Assert.Equal(expected, size.Attention + size.Others);
        Assert.Equal(2 * expected, size.Bytes(WeightFormat.Stored));
        Assert.Equal((2 * size.Attention) + (size.Others * 17 / 32), size.Bytes(WeightFormat.Int4Group64));
    }

    public static TheoryData<string> Tiny => [.. TinyModels.Names];

    [Theory]
    [InlineData("intermediate_size", "97", "tensor 'model.layers.0.mlp.gate_proj.weight' has the wrong shape")]
    [InlineData("moe_intermediate_size", "33", "tensor 'model.layers.1.mlp.experts.0.gate_proj.weight' has the wrong shape")]
    [InlineData("vocab_size", "321", "tensor 'model.embed_tokens.weight' has the wrong shape: expected [321, 64]")]
    [InlineData("num_hidden_layers", "4", "tensor 'model.layers.3.input_layernorm.weight' is missing")]
    [InlineData("n_shared_experts", "2", "tensor 'model.layers.1.mlp.shared_experts.gate_proj.weight' has the wrong shape")]
    public void Weights_that_do_not_fit_are_refused_by_name(string key, string json, string problem)
    {
        using ModelDirectory directory = new ModelDirectory("axk1").With(key, json);

        Assert.Contains(problem, Assert.Throws<CheckpointException>(() => LanguageModel.Load(directory.Path, TinyModels.Classes)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("glm-5.2", "index_topk", "32", "index_topk is 32, but the class has 24")]
    [InlineData("glm-5.2", "index_n_heads", "8", "index_n_heads is 8, but the class has 6")]
    [InlineData("glm-5.2", "index_head_dim", "32", "index_head_dim is 32, but the class has 16")]
    [InlineData("glm-5.2", "indexer_rope_interleave", "false", "the pairing of the index key's rotary part is HalfSplit, but the class has Interleaved")]
    [InlineData("glm-5.2", "indexer_types", "\"FFSSSS\"", "the pattern of layers with an indexer is FFSSSS, but the class has FFFSSS")]
    [InlineData("glm-5.2", "indexer_types", null, null)]
    [InlineData("glm-5.2", "index_topk", null, "whether layers have a sparse indexer is no, but the class has yes")]
    [InlineData("hy4", "rms_norm_eps", "0.001", "the epsilon of the index key's norm is 0.001, but the class has 1E-05")]
    [InlineData("hy4", "model_type", "\"deepseek_v32\"", "the gate on the output is None, but the class has ElementWise")]
    [InlineData("hy4", "model_type", "\"deepseek_v32\"", "whether heads have sinks is no, but the class has yes")]
    [InlineData("hy4", "model_type", "\"deepseek_v32\"", "the place of the index key's rotary part is first, but the class has last")]
    public void What_a_class_has_of_a_sparse_model_is_compared_with_its_configuration(string name, string key, string? json, string? difference)
    {
        using ModelDirectory directory = new ModelDirectory(name).With(key, json);
        AttentionClass own = name == "hy4" ? AttentionClass.Of<Hy4Attention>() : AttentionClass.Of<Glm52Attention>();

        IReadOnlyList<string> found = own.Differences(new AttentionFit(ModelConfig.Read(directory.Path)));

        Assert.Equal(difference is null, found.Count == 0);
        Assert.True(difference is null || found.Contains(difference), string.Join("; ", found));
    }
}
