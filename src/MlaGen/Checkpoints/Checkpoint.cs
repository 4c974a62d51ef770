using System.Diagnostics.CodeAnalysis;
using MlaGen.Runtime;

namespace MlaGen;

/// <summary>
/// A checkpoint as models are published: a directory with <c>model.safetensors</c>, or with <c>model.safetensors.index.json</c> and the shards it
/// names; or a single safetensors file. All headers are read and checked when it is opened, tensors when they are asked for.
/// </summary>
/// <remarks>
/// <para>In a directory, no file outside it is opened: a shard is a plain file name, and a link must stay inside. The one exception is the cache of the
/// Hugging Face hub, whose <c>snapshots/&lt;revision&gt;</c> directories link to the <c>blobs</c> directory beside <c>snapshots</c>.</para>
/// <para>The index decides: each tensor lies in the shard that the index names for it, and must lie there. What a shard holds beyond that, a tensor that the
/// index leaves out or places in another shard, is no part of the checkpoint.</para>
/// <para>Only regular files are opened, or links to them: never a pipe, a socket or a device.</para>
/// <para>The files stay open, and are read as tensors are asked for, so they must not be changed in place meanwhile: a file that is longer or shorter
/// than it was is refused by the next read, but other bytes of the same length are taken for the tensor's. To put new files in their place by
/// renaming does no harm.</para>
/// <para>Any number of threads may read at once.</para>
/// </remarks>
public sealed class Checkpoint : ICheckpoint, IDisposable
{
    private const string SingleFile = "model.safetensors";
    private const string IndexFile = "model.safetensors.index.json";

    private readonly List<SafetensorsFile> _files = [];
    private readonly Dictionary<string, CheckpointTensor> _tensors = new(StringComparer.Ordinal);
    private volatile bool _disposed;

    private Checkpoint(string source) => Source = source;

    /// <summary>The path the checkpoint was opened by.</summary>
    public string Source { get; }

    /// <summary>The tensors, file by file.</summary>
    /// <exception cref="ObjectDisposedException">The checkpoint is closed.</exception>
    public IReadOnlyCollection<CheckpointTensor> Tensors
    {
        get
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            return _tensors.Values;
        }
    }

    /// <inheritdoc/>
    /// <exception cref="ObjectDisposedException">The checkpoint is closed.</exception>
    public IEnumerable<string> Names
    {
        get
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            return _tensors.Keys;
        }
    }

    /// <summary>The files.</summary>
    internal IReadOnlyList<SafetensorsFile> Files => _files;

    /// <summary>Opens a directory or a single safetensors file.</summary>
    /// <param name="path">The directory or file.</param>
    /// <returns>The open checkpoint, to be disposed.</returns>
    /// <exception cref="ArgumentException">The path is empty or has a zero in it.</exception>
    /// <exception cref="CheckpointException">Something is missing, unreadable or malformed. Nothing stays open then.</exception>
    public static Checkpoint Open(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        var checkpoint = new Checkpoint(path);
        try
        {
            if (Directory.Exists(path))
            {
                checkpoint.AddDirectory(new CheckpointDirectory(path));
            }
            else
            {
                checkpoint.AddFile(path, static _ => true);
            }

            return checkpoint;
        }
        catch
        {
            checkpoint.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    /// <exception cref="ObjectDisposedException">The checkpoint is closed.</exception>
    public bool TryGetTensor(string name, [NotNullWhen(true)] out CheckpointTensor? tensor)
    {
        ArgumentNullException.ThrowIfNull(name);
        ObjectDisposedException.ThrowIf(_disposed, this);
        return _tensors.TryGetValue(name, out tensor);
    }

    /// <summary>Closes all files; their tensors cannot be read any more.</summary>
    public void Dispose()
    {
        _disposed = true;
        foreach (SafetensorsFile file in _files)
        {
            file.Dispose();
        }
    }

    private void AddDirectory(CheckpointDirectory directory)
    {
        // In this order transformers looks, too.
        if (directory.Has(SingleFile))
        {
            AddFile(directory.Locate(SingleFile), static _ => true);
        }
        else if (directory.Has(IndexFile))
        {
            AddShards(directory);
        }
        else
        {
            throw new CheckpointException($"has neither {SingleFile} nor {IndexFile}", Source);
        }
    }

    private void AddShards(CheckpointDirectory directory)
    {
        string index = directory.Locate(IndexFile);
        Dictionary<string, string> shardOf = ShardIndex.Read(index);
        foreach (string shard in shardOf.Values.Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal))
        {
            AddFile(directory.Locate(shard), name => shardOf.GetValueOrDefault(name) == shard);
        }

        foreach ((string tensor, string shard) in shardOf)
        {
            if (!_tensors.ContainsKey(tensor))
            {
                throw new CheckpointException($"is said to lie in {CheckpointException.Quote(shard)}, which does not hold it", index, tensor);
            }
        }
    }

    private void AddFile(string path, Func<string, bool> isPlacedHere)
    {
        SafetensorsFile file = SafetensorsFile.Open(path);
        _files.Add(file);
        foreach (CheckpointTensor tensor in file.Tensors.Where(tensor => isPlacedHere(tensor.Name)))
        {
            _tensors.Add(tensor.Name, tensor);
        }
    }
}
