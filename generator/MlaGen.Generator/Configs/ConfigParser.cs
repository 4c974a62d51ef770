using System.Collections.Immutable;
using Microsoft.CodeAnalysis.Text;
using MlaGen.Generator.Model;

namespace MlaGen.Generator.Configs;

/// <summary>From the text of a Hugging Face <c>config.json</c> to the settings of an attention layer, or to what is in the way: a pure function.</summary>
internal static class ConfigParser
{
    /// <param name="name">Name of the configuration.</param>
    /// <param name="path">Its path, of which messages and headers show the end.</param>
    /// <param name="text">Its text, or null when it cannot be read.</param>
    /// <param name="cancellation">Stops the reading.</param>
    public static ParsedConfig Parse(string name, string path, string? text, CancellationToken cancellation = default)
    {
        var sink = new ProblemSink();
        string file = ShortPath(path);
        if (text is null)
        {
            sink.Add(ConfigRules.Unreadable, default, file);
            return Invalid(name, file, sink);
        }

        JsonDocument document = JsonReader.Read(text, cancellation);
        if (document.Root is not { } root)
        {
            sink.Add(ConfigRules.Syntax, document.ErrorSpan, document.Error!);
            return Invalid(name, file, sink);
        }

        foreach (JsonProperty duplicate in document.Duplicates)
        {
            sink.Add(ConfigRules.DuplicateKey, duplicate.NameSpan, duplicate.Name);
        }

        if (root.Kind != JsonKind.Object)
        {
            sink.Add(ConfigRules.WrongValue, root.Span, file, root.ToString(), "an object");
        }

        // A repeated key has no meaning to go on with.
        return sink.HasErrors ? Invalid(name, file, sink) : new ConfigMapper(sink).Map(name, file, root);
    }

    /// <summary>The end of a path: enough to recognise a file, and the same on every machine.</summary>
    private static string ShortPath(string path)
    {
        string[] parts = path.Split(['/', '\\'], StringSplitOptions.RemoveEmptyEntries);
        return string.Join("/", parts.Skip(Math.Max(0, parts.Length - 2)));
    }

    private static ParsedConfig Invalid(string name, string file, ProblemSink sink) => new(
        new ConfigModel(name, file, MlaSettings.Empty, IndexTopK: null, IsValid: false),
        sink.Problems.ToImmutableArray(),
        ImmutableDictionary<string, TextSpan>.Empty,
        default);
}
