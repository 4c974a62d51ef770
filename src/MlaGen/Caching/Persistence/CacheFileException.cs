namespace MlaGen;

/// <summary>A file of <see cref="LatentCache{TAttention}.Save"/> is damaged or does not fit the cache that reads it. Nothing was taken from it.</summary>
public sealed class CacheFileException : IOException
{
    internal CacheFileException(string path, string problem)
        : base($"{path}: {problem}") => Path = path;

    /// <summary>The file.</summary>
    public string Path { get; }
}
