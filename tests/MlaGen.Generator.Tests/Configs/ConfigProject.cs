using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.Text;
using MlaGen.Generator.Analyzers;
using MlaGen.Generator.Configs;
using MlaGen.Generator.Diagnostics;
using MlaGen.Generator.Tests.Infrastructure;

namespace MlaGen.Generator.Tests.Configs;

/// <summary>A user's project with model configurations: the analyzers and the generator run on it in this process.</summary>
internal sealed class ConfigProject(string source, params (string Name, string Path, string? Text)[] files)
{
    public const string OneClass = "using MlaGen; namespace Demo; [MlaAttention(\"model\")] public sealed partial class Model;";

    private readonly ImmutableArray<AdditionalText> _files = [.. files.Select(static file => new ConfigFile(file.Name, file.Path, file.Text))];

    /// <summary>The configurations, as the compiler hands them to analyzers.</summary>
    public AnalyzerOptions Options => new(_files, new FileOptions());

    public CSharpCompilation Compilation { get; init; } = Compilations.Create(source);

    /// <summary>One class that uses one configuration.</summary>
    public static ConfigProject Of(string json, string source = OneClass) => new(source, ("model", ConfigRun.Path, json));

    /// <summary>What both analyzers report, as the command-line compiler would list it.</summary>
    public async Task<ImmutableArray<Diagnostic>> Analyze()
    {
        CompilationWithAnalyzersOptions options = new(
            Options,
            onAnalyzerException: static (exception, _, _) => throw exception,
            concurrentAnalysis: true,
            logAnalyzerExecutionTime: false);
        ImmutableArray<Diagnostic> found = await Compilation.WithAnalyzers([new MlaAttentionAnalyzer(), new MlaModelConfigAnalyzer()], options).GetAnalyzerDiagnosticsAsync();
        return [.. found.OrderBy(static diagnostic => diagnostic.Location.GetLineSpan().Path, StringComparer.Ordinal).ThenBy(static diagnostic => diagnostic.Location.SourceSpan.Start).ThenBy(static diagnostic => diagnostic.Id)];
    }

    /// <summary>A driver that has run once.</summary>
    public GeneratorDriver Drive() => Compilations.Driver().AddAdditionalTexts(_files).WithUpdatedAnalyzerConfigOptions(new FileOptions()).RunGenerators(Compilation);

    public GeneratorRunResult Generate() => Drive().GetRunResult().Results.Single();

    /// <summary>The driver after a configuration has been edited.</summary>
    public GeneratorDriver Edit(GeneratorDriver driver, int file, string text)
    {
        var old = (ConfigFile)_files[file];
        return driver.ReplaceAdditionalText(old, new ConfigFile(old.Name, old.Path, text)).RunGenerators(Compilation);
    }

    private sealed class ConfigFile(string name, string path, string? text) : AdditionalText
    {
        public string Name { get; } = name;

        public override string Path { get; } = path;

        public override SourceText? GetText(CancellationToken cancellationToken = default) => text is null ? null : SourceText.From(text);
    }

    /// <summary>What MSBuild passes to the compiler about each file.</summary>
    private sealed class FileOptions : AnalyzerConfigOptionsProvider
    {
        public override AnalyzerConfigOptions GlobalOptions { get; } = new Values(null);

        public override AnalyzerConfigOptions GetOptions(SyntaxTree tree) => GlobalOptions;

        public override AnalyzerConfigOptions GetOptions(AdditionalText textFile) => new Values((textFile as ConfigFile)?.Name);
    }

    private sealed class Values(string? name) : AnalyzerConfigOptions
    {
        public override bool TryGetValue(string key, [NotNullWhen(true)] out string? value)
        {
            value = key == ConfigReader.NameOption ? name : null;
            return value is not null;
        }
    }
}
