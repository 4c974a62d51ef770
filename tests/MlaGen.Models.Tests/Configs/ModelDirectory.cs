using System.Text.Json.Nodes;
using MlaGen.Models.Tests.Golden;

namespace MlaGen.Models.Tests.Configs;

/// <summary>A copy of a tiny model whose <c>config.json</c> can be changed.</summary>
internal sealed class ModelDirectory : IDisposable
{
    public ModelDirectory(string name)
    {
        Path = Directory.CreateTempSubdirectory("mlagen-models-").FullName;
        foreach (string file in Directory.EnumerateFiles(TinyModels.PathOf(name)).Where(static file => !file.Contains("golden", StringComparison.Ordinal)))
        {
            File.Copy(file, System.IO.Path.Combine(Path, System.IO.Path.GetFileName(file)));
        }
    }

    public string Path { get; }

    public string Config => System.IO.Path.Combine(Path, "config.json");

    /// <summary>Sets a key to a piece of JSON, or removes it.</summary>
    public ModelDirectory With(string key, string? json)
    {
        JsonObject config = JsonNode.Parse(File.ReadAllText(Config))!.AsObject();
        string[] path = key.Split('/');
        JsonObject section = path.Length == 1 ? config : config[path[0]]!.AsObject();
        section.Remove(path[^1]);
        if (json is not null)
        {
            section[path[^1]] = JsonNode.Parse(json);
        }

        File.WriteAllText(Config, config.ToJsonString());
        return this;
    }

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
