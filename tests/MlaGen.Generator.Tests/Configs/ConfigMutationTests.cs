using System.Globalization;
using MlaGen.Generator.Configs;
using MlaGen.Generator.Model;
using MlaGen.Generator.Parsing;
using MlaGen.Generator.Planning;
using MlaGen.Generator.Validation;

namespace MlaGen.Generator.Tests.Configs;

/// <summary>Configurations broken at random: each ends in a problem at a place in the file, or in a valid specification.</summary>
public class ConfigMutationTests
{
    private const int Configurations = 10_000;

    private static readonly string[] _values =
        ["null", "true", "false", "0", "1", "-1", "0.5", "64", "63", "1e-06", "1e999", "2147483648", "-0", "\"\"", "\"yarn\"", "\"text\"", "[]", "[1,2]", "{}", "{\"a\":{}}", "[[[]]]", "4096.0"];

    private static readonly string[] _keys =
    [
        "model_type", "kv_lora_rank", "qk_rope_head_dim", "rope_scaling", "rope_parameters", "rope_theta", "rope_interleave", "index_topk", "yarn", "llama_4_scaling", "text_config",
        "language_config", "quantization_config", "sliding_window", "layer_types", "partial_rotary_factor", "head_dim", "use_mla", "attn_new", "original_max_position_embeddings", "type", "factor", "mscale",
        "short_factor", "long_factor", "attention_factor", "truncate", "n_heads", "dim", "num_attention_heads",
    ];

    [Fact]
    public void Ten_thousand_broken_configurations_end_in_a_located_problem_or_a_valid_specification()
    {
        var random = new Random(20_250_101);
        string[] originals = [.. PublishedModel.All.SelectMany(static model => model.Types.SelectMany(type => new[] { model.Config(type, false), model.Config(type, true) })), ConfigRun.DeepSeekV3];
        int valid = 0;
        int problems = 0;
        for (int i = 0; i < Configurations; i++)
        {
            string json = originals[random.Next(originals.Length)];
            for (int mutation = random.Next(1, 4); mutation > 0; mutation--)
            {
                json = Mutate(random, json);
            }

            MlaSettings settings = random.Next(2) == 0 ? MlaSettings.Empty : new MlaSettings { AllowDense = true };
            if (Check(json, settings))
            {
                valid++;
            }
            else
            {
                problems++;
            }
        }

        // Mutations that all break, or never do, would test one half only.
        Assert.InRange(valid, Configurations / 20, Configurations * 19 / 20);
        Assert.Equal(Configurations, valid + problems);
    }

    private static bool Check(string json, MlaSettings settings)
    {
        ParsedConfig config = ConfigRun.Parse(json);
        AttributeModel attribute = ConfigRun.Attribute(settings);
        Assert.All(config.Problems, problem => Assert.InRange(problem.Span.End, 0, json.Length));
        Assert.Equal(config.Model.IsValid, !config.Problems.Any(static problem => problem.IsError));
        Assert.Equal(config.Problems.Length, config.Problems.Select(static problem => (problem.Rule, problem.Span)).Distinct().Count());

        if (ConfigRun.Resolve(config, settings) is { } spec)
        {
            Assert.True(config.Model.IsValid, json);
            Assert.Empty(SpecValidator.Validate(spec, settings));
            Assert.True(RopeConstants.For(spec).SoftmaxScale > 0, json);
            return true;
        }

        bool isReported = !config.Model.IsValid
            || ConfigUse.MissingKeys(attribute, config.Model).Any()
            || ConfigUse.IsSparse(attribute, config.Model)
            || ConfigUse.IsQuantized(attribute, config.Model)
            || ConfigUse.ValueProblems(attribute, config.Model).Any();
        Assert.True(isReported, "refused without a reason: " + json);
        return false;
    }

    private static string Mutate(Random random, string json)
    {
        int position = random.Next(json.Length);
        switch (random.Next(8))
        {
            case 0:
                return json.Remove(position, 1);
            case 1:
                return json[..position];
            case 2:
                return json.Insert(position, ((char)random.Next(' ', 'z')).ToString());
            case 3:
                return json.Insert(json.IndexOf('{', StringComparison.Ordinal) + 1, $"\"{Pick(random, _keys)}\":{Pick(random, _values)},");
            case 4:
                return Renamed(random, json);
            default:
                return Revalued(random, json);
        }
    }

    private static string Renamed(Random random, string json)
    {
        string key = Pick(random, _keys);
        return json.Replace($"\"{key}\":", $"\"{Pick(random, _keys)}\":", StringComparison.Ordinal);
    }

    // Replaces one number or word between a colon and the next comma.
    private static string Revalued(Random random, string json)
    {
        int colon = json.IndexOf(':', random.Next(json.Length));
        int end = colon < 0 ? -1 : json.IndexOfAny([',', '}'], colon);
        string value = random.Next(3) == 0 ? random.Next(-2, 5000).ToString(CultureInfo.InvariantCulture) : Pick(random, _values);
        return end < 0 ? json : string.Concat(json.AsSpan(0, colon + 1), value, json.AsSpan(end));
    }

    private static string Pick(Random random, string[] choices) => choices[random.Next(choices.Length)];
}
