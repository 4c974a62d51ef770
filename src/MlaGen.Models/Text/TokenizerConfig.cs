using System.Globalization;
using System.Text.Json;

namespace MlaGen.Models;

/// <summary>What tokenizing and templates need of a <c>tokenizer_config.json</c>.</summary>
internal sealed record TokenizerConfig
{
    public const string FileName = "tokenizer_config.json";

    public string? BosToken { get; private init; }

    public string? EosToken { get; private init; }

    public string? PadToken { get; private init; }

    public string? UnknownToken { get; private init; }

    public bool? AddsBos { get; private init; }

    public bool? AddsEos { get; private init; }

    /// <summary>Tokens outside the vocabulary, where the file lists them.</summary>
    public IReadOnlyList<AddedToken> AddedTokens { get; private init; } = [];

    /// <summary>Templates by name; the one without a name is <c>default</c>.</summary>
    public IReadOnlyDictionary<string, string> ChatTemplates { get; private init; } = new Dictionary<string, string>();

    /// <summary>Tokens with a role, by the name of the role: <c>bos_token</c>.</summary>
    public IReadOnlyDictionary<string, string> NamedTokens { get; private init; } = new Dictionary<string, string>();

    /// <summary>Reads the file of a directory; nothing is set where there is none.</summary>
    public static TokenizerConfig Load(string directory)
    {
        string path = Path.Combine(directory, FileName);
        return File.Exists(path) ? TextFiles.Read(path, "a tokenizer's configuration", Create) : new();
    }

    private static TokenizerConfig Create(JsonElement root)
    {
        Dictionary<string, string> named = [];
        foreach (JsonProperty member in root.EnumerateObject().Where(member => member.Name.EndsWith("_token", StringComparison.Ordinal)))
        {
            if (Token(member.Value) is { } token)
            {
                named[member.Name] = token;
            }
        }

        return new()
        {
            BosToken = named.GetValueOrDefault("bos_token"),
            EosToken = named.GetValueOrDefault("eos_token"),
            PadToken = named.GetValueOrDefault("pad_token"),
            UnknownToken = named.GetValueOrDefault("unk_token"),
            AddsBos = root.Optional("add_bos_token")?.GetBoolean(),
            AddsEos = root.Optional("add_eos_token")?.GetBoolean(),
            NamedTokens = named,
            AddedTokens = [.. root.Optional("added_tokens_decoder")?.EnumerateObject().Select(entry => AddedToken.Read(int.Parse(entry.Name, NumberStyles.None, CultureInfo.InvariantCulture), entry.Value)) ?? []],
            ChatTemplates = root.Optional("chat_template") is { } templates ? Templates(templates) : new Dictionary<string, string>(),
        };
    }

    /// <summary>A token is its text, or an object that has it; add_bos_token and the like are none.</summary>
    private static string? Token(JsonElement token) => token.ValueKind switch
    {
        JsonValueKind.String => token.GetString(),
        JsonValueKind.Object => token.Text("content"),
        _ => null,
    };

    private static Dictionary<string, string> Templates(JsonElement templates) => templates.ValueKind switch
    {
        JsonValueKind.String => new() { ["default"] = templates.GetString()! },
        JsonValueKind.Array => templates.EnumerateArray().ToDictionary(template => template.Text("name"), template => template.Text("template")),
        _ => throw new FormatException("chat_template is neither a text nor a list"),
    };
}
