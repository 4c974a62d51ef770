using System.IO.Compression;
using MlaGen.Tests.Files;

namespace MlaGen.Models.Tests.Text;

internal static class TextData
{
    private static readonly Lazy<ModelTokenizer> _deepSeek = new(() =>
    {
        using TemporaryDirectory directory = new();
        using (BrotliStream compressed = new(File.OpenRead(PathOf("deepseek-v3/tokenizer.json.br")), CompressionMode.Decompress))
        using (FileStream file = File.Create(directory.At("tokenizer.json")))
        {
            compressed.CopyTo(file);
        }

        File.Copy(PathOf("deepseek-v3/tokenizer_config.json"), directory.At("tokenizer_config.json"));
        return ModelTokenizer.Load(directory.Path);
    });

    private static readonly Lazy<ModelTokenizer> _story = new(() => ModelTokenizer.Load(PathOf("story")));

    public static string PathOf(string name) => Path.Combine(AppContext.BaseDirectory, "Text/Data", name);

    public static ModelTokenizer Tokenizer(string model) => model switch
    {
        "deepseek-v3" => _deepSeek.Value,
        "story" => _story.Value,
        _ => throw new ArgumentException(model),
    };

    /// <summary>A tokenizer of a file's text.</summary>
    public static ModelTokenizer Tokenizer(string json, string? config)
    {
        using TemporaryDirectory directory = new();
        directory.Write("tokenizer.json", json);
        if (config is not null)
        {
            directory.Write("tokenizer_config.json", config);
        }

        return ModelTokenizer.Load(directory.Path);
    }
}
