using System.Text;
using Microsoft.Build.Framework;
using Microsoft.Win32.SafeHandles;
using MlaGen.Runtime;
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
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
            {
                Log.LogError("The manifest of checkpoint '{0}' cannot be written: {1}", item.ItemSpec, exception.Message);
            }
        }

        return !Log.HasLoggedErrors;
    }

    // A manifest that stays as it is makes no compilation out of date. One that changes is replaced as a whole: two builds of a project may run at once.
    private static void WriteIfDifferent(string path, string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        if (!Holds(path, bytes))
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
            using var file = new FileReplacement(path, bytes.Length);
            RandomAccess.Write(file.Handle, bytes, 0);
            file.Commit();
        }
    }

    private static bool Holds(string path, byte[] expected)
    {
        if (!File.Exists(path))
        {
            return false;
        }

        using SafeFileHandle file = RegularFile.OpenRead(path, out long length);
        byte[] found = new byte[expected.Length];
        return length == expected.Length && RegularFile.Read(file, 0, found) == length && found.AsSpan().SequenceEqual(expected);
    }
}
