namespace MlaGen.Runtime;

/// <summary>The index of a checkpoint in several files, <c>model.safetensors.index.json</c>: which tensor lies in which shard.</summary>
internal static class ShardIndex
{
    private const int MaxLength = 100_000_000;
    private const int MaxDepth = 64;
    private const string WeightMapKey = "weight_map";

    /// <summary>Reads an index.</summary>
    /// <param name="path">The index file.</param>
    /// <returns>The shard's file name for each tensor's name.</returns>
    /// <exception cref="CheckpointException">The index is malformed, names a tensor twice, or a shard by more than a file name.</exception>
    public static Dictionary<string, string> Read(string path)
    {
        var reader = new CheckpointJson(path, "index", CheckpointFiles.ReadAll(path, MaxLength), MaxDepth);
        Dictionary<string, string>? shards = null;
        reader.BeginObject("top");
        while (reader.NextKey(out string key))
        {
            if (key != WeightMapKey)
            {
                // Sizes and notes for people.
                reader.Skip();
            }
            else if (shards is null)
            {
                shards = ReadWeightMap(ref reader, path);
            }
            else
            {
                throw new CheckpointException($"index: {WeightMapKey} comes twice", path);
            }
        }

        reader.End();
        return shards ?? throw new CheckpointException($"index has no {WeightMapKey}", path);
    }

    private static Dictionary<string, string> ReadWeightMap(ref CheckpointJson reader, string path)
    {
        var shards = new Dictionary<string, string>(StringComparer.Ordinal);
        reader.BeginObject(WeightMapKey);
        while (reader.NextKey(out string tensor))
        {
            string shard = reader.ReadString(WeightMapKey);
            CheckpointDirectory.CheckShardName(path, tensor, shard);
            if (!shards.TryAdd(tensor, shard))
            {
                throw new CheckpointException($"comes twice in {WeightMapKey}", path, tensor);
            }
        }

        return shards;
    }
}
