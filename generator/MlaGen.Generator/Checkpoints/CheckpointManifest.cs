using System.Globalization;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Diagnostics;
using MlaGen.Build;

namespace MlaGen.Generator.Checkpoints;

/// <summary>The attention tensors of one checkpoint, as the build task found them.</summary>
/// <param name="source">What the project calls the checkpoint.</param>
/// <param name="tensors">The tensors.</param>
internal sealed class CheckpointManifest(string source, IReadOnlyList<CheckpointTensors> tensors)
{
    /// <summary>Metadata that marks an additional file as a manifest, with the class that the checkpoint is for.</summary>
    public const string ClassOption = "build_metadata.AdditionalFiles.MlaCheckpointClass";

    public string Source { get; } = source;

    public IReadOnlyList<CheckpointTensors> Tensors { get; } = tensors;

    /// <summary>The class that a file is the manifest of a checkpoint for, or null for a file that is none.</summary>
    public static string? ClassOf(AdditionalText file, AnalyzerConfigOptionsProvider options)
        => options.GetOptions(file).TryGetValue(ClassOption, out string? name) && name.Length > 0 ? name : null;

    /// <summary>Reads a manifest; null, with the reason, for one that the task of this version has not written.</summary>
    public static CheckpointManifest? Parse(string? text, out string error)
    {
        string[] lines = (text ?? string.Empty).Split(['\n'], StringSplitOptions.RemoveEmptyEntries);
        if (lines.Length < 2 || lines[0] != ManifestFormat.Header)
        {
            error = $"expected '{ManifestFormat.Header}' in line 1";
            return null;
        }

        var tensors = new List<CheckpointTensors>();
        for (int line = 2; line < lines.Length; line++)
        {
            if (CheckpointTensors.TryParse(lines[line]) is not { } parsed)
            {
                error = string.Format(CultureInfo.InvariantCulture, "expected name, type, shape and layers, with tabs between, in line {0}", line + 1);
                return null;
            }

            tensors.Add(parsed);
        }

        error = string.Empty;
        return new CheckpointManifest(lines[1], tensors);
    }
}
