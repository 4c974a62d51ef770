namespace MlaGen.Runtime;

/// <summary>The directory of a checkpoint, and the rule for what may be opened in its name: nothing outside it.</summary>
internal sealed class CheckpointDirectory(string path)
{
    private const string ShardExtension = ".safetensors";

    // The Hugging Face cache keeps models--x/snapshots/<revision>/*, all of them links into models--x/blobs.
    private const string HubSnapshots = "snapshots";
    private const string HubBlobs = "blobs";

    /// <summary>Whether the directory has a file of this name.</summary>
    public bool Has(string name) => File.Exists(PathOf(name));

    /// <summary>The path of a file that lies in the directory itself.</summary>
    /// <exception cref="CheckpointException">The file is a link that leads outside.</exception>
    public string Locate(string name)
    {
        string file = PathOf(name);
        string target;
        string root;
        try
        {
            target = RealPath.Resolve(file);
            root = RealPath.Resolve(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CheckpointException($"cannot be followed to its file: {e.Message}", file, tensor: null, e);
        }

        if (!IsWithin(target, root) && !(HubBlobsOf(root) is { } blobs && IsWithin(target, blobs)))
        {
            throw new CheckpointException($"is a link to {target}, outside the checkpoint's directory", file);
        }

        return file;
    }

    /// <summary>Refuses a shard's name that is more than the name of a safetensors file in the directory.</summary>
    public static void CheckShardName(string indexFile, string tensor, string shard)
    {
        // The separators of every system, not only of this one: an index is judged alike everywhere.
        if (shard.AsSpan().IndexOfAny("/\\:\0") >= 0 || !shard.EndsWith(ShardExtension, StringComparison.Ordinal) || shard.Length == ShardExtension.Length)
        {
            throw new CheckpointException(
                $"is said to lie in {CheckpointException.Quote(shard)}; expected the name of a {ShardExtension} file in the same directory", indexFile, tensor);
        }
    }

    private string PathOf(string name) => Path.Combine(path, name);

    private static bool IsWithin(string file, string directory) =>
        file.StartsWith(directory.EndsWith(Path.DirectorySeparatorChar) ? directory : directory + Path.DirectorySeparatorChar, StringComparison.Ordinal);

    private static string? HubBlobsOf(string directory) =>
        Path.GetDirectoryName(directory) is { } parent && Path.GetFileName(parent) == HubSnapshots
            ? Path.Combine(Path.GetDirectoryName(parent)!, HubBlobs)
            : null;
}
