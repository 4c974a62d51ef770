using System.Text;
using Microsoft.Build.Framework;
using Task = Microsoft.Build.Utilities.Task;

namespace MlaGen.Build;

/// <summary>
/// Writes a manifest for each checkpoint of a project, from the headers of its safetensors files alone: the analyzer compares it with the class.
/// </summary>
public sealed class WriteCheckpointManifests : Task
{
    private const string Malformed = "MLA0281";

    /// <summary>The checkpoints, directories or single files, each with <c>Manifest</c> metadata, the file to write.</summary>
    [Required]
    public ITaskItem[] Checkpoints { get; set; } = [];

    /// <inheritdoc/>
    public override bool Execute()
    {
        foreach (ITaskItem item in Checkpoints)
        {
            try
            {
                using Checkpoint checkpoint = Checkpoint.Open(item.GetMetadata("FullPath"));
                WriteIfDifferent(item.GetMetadata("Manifest"), CheckpointManifest.Write(item.ItemSpec, checkpoint));
            }
            catch (CheckpointException exception)
            {
                string help = $"https://github.com/mlagen/mlagen/blob/main/docs/diagnostics/{Malformed}.md";
                Log.LogError(null, Malformed, null, help, exception.File, 0, 0, 0, 0, "{0}", $"Checkpoint '{item.ItemSpec}' cannot be read: {exception.Message}");
            }
        }

        return !Log.HasLoggedErrors;
    }

    // A manifest that stays as it is makes no compilation out of date.
    private static void WriteIfDifferent(string path, string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        if (!File.Exists(path) || !File.ReadAllBytes(path).AsSpan().SequenceEqual(bytes))
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
            File.WriteAllBytes(path, bytes);
        }
    }
}
