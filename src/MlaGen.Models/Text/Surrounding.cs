using System.Text.Json;

namespace MlaGen.Models;

/// <summary>The tokens around a text: the post-processor of a <c>tokenizer.json</c>, and what <c>tokenizer_config.json</c> says of its first and last token.</summary>
internal static class Surrounding
{
    /// <exception cref="FormatException">A step is not supported.</exception>
    public static (int[] Prefix, int[] Suffix) Create(JsonElement? postProcessor, ModelTokenizer tokenizer, TokenizerConfig config)
    {
        List<int> prefix = [], suffix = [];
        foreach (JsonElement step in TextFiles.Steps(postProcessor, "processors"))
        {
            string type = step.Text("type");
            switch (type)
            {
                case "ByteLevel":
                    // It trims offsets, and changes no token.
                    break;
                case "TemplateProcessing":
                    Template(step, prefix, suffix);
                    break;
                default:
                    throw new FormatException($"the post-processor {type} is not supported");
            }
        }

        Adjust(config.AddsBos, tokenizer.BosToken, prefix, 0);
        Adjust(config.AddsEos, tokenizer.EosToken, suffix, suffix.Count);
        return ([.. prefix], [.. suffix]);
    }

    private static void Template(JsonElement step, List<int> prefix, List<int> suffix)
    {
        bool isBehind = false;
        foreach (JsonElement item in step.GetProperty("single").EnumerateArray())
        {
            if (item.Optional("SpecialToken") is { } token)
            {
                string name = token.Text("id");
                (isBehind ? suffix : prefix).AddRange(step.GetProperty("special_tokens").GetProperty(name).GetProperty("ids").EnumerateArray().Select(id => id.GetInt32()));
            }
            else
            {
                _ = item.GetProperty("Sequence");
                isBehind = isBehind ? throw new FormatException("TemplateProcessing has the text twice") : true;
            }
        }
    }

    /// <summary>The configuration has the last word.</summary>
    private static void Adjust(bool? adds, int? token, List<int> around, int at)
    {
        if (adds == true && token is { } id && !around.Contains(id))
        {
            around.Insert(at, id);
        }
        else if (adds == false && token is { } other)
        {
            around.RemoveAll(present => present == other);
        }
    }
}
