using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.Text;
using MlaGen.Generator.Model;

namespace MlaGen.Generator.Configs;

/// <summary>Model configurations among a project's additional files.</summary>
internal static class ConfigReader
{
    /// <summary>
    /// Metadata that marks an additional file as a configuration, with the name by which attributes ask for it: as part of a URI, with exclamation marks for
    /// per cent signs. So MlaGen.targets brings it past what MSBuild and the compiler's configuration files would cut or decode.
    /// </summary>
    public const string NameOption = "build_metadata.AdditionalFiles.MlaModelConfigName";

    // The project gave no name. The folder's is taken from the path here: no property of MSBuild needs to hold it.
    private const string FolderName = "!";

    /// <summary>The name of the configuration that a file is, or null for a file that is none.</summary>
    public static string? Name(AdditionalText file, AnalyzerConfigOptionsProvider options)
        => options.GetOptions(file).TryGetValue(NameOption, out string? name) && name.Length > 0
            ? name == FolderName ? Path.GetFileName(Path.GetDirectoryName(file.Path)) : Uri.UnescapeDataString(name.Replace('!', '%'))
            : null;

    /// <summary>The configuration in a file, or null for a file that is none: its values alone, which no reformatting changes.</summary>
    public static ConfigModel? Read(AdditionalText file, AnalyzerConfigOptionsProvider options, CancellationToken cancellation)
        => Name(file, options) is { } name ? Parse(name, file, cancellation).Model : null;

    /// <summary>The configuration with its problems and places, for the analyzer that reports them.</summary>
    public static ParsedConfig Parse(string name, AdditionalText file, CancellationToken cancellation)
    {
        SourceText? text = file.GetText(cancellation);
        return ConfigParser.Parse(name, file.Path, text?.ToString(), cancellation);
    }
}
