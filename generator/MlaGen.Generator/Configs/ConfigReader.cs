using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Diagnostics;
using MlaGen.Generator.Model;

namespace MlaGen.Generator.Configs;

/// <summary>Model configurations among a project's additional files.</summary>
internal static class ConfigReader
{
    /// <summary>Metadata that marks an additional file as a configuration, with the name by which attributes ask for it.</summary>
    public const string NameOption = "build_metadata.AdditionalFiles.MlaModelConfigName";

    /// <summary>The configuration in a file, or null for a file that is none. No format is understood yet, so every name is reported as not found.</summary>
    public static ConfigModel? Read(AdditionalText file, AnalyzerConfigOptionsProvider options, CancellationToken cancellation) => null;
}
