namespace MlaGen;

/// <summary>A part of a cached row that is encoded by itself.</summary>
public sealed class RowSegment
{
    internal RowSegment(string name, int elements, CacheFormat encoding, int bytes)
    {
        Name = name;
        Elements = elements;
        Encoding = encoding;
        Bytes = bytes;
    }

    /// <summary>What it is: <c>latent</c>, <c>rope</c>, or <c>index</c>, the key of a sparse indexer. At most eight ASCII characters, by which cache files know it.</summary>
    public string Name { get; }

    /// <summary>Numbers of it.</summary>
    public int Elements { get; }

    /// <summary>How they are encoded: the format whose latents are encoded so.</summary>
    public CacheFormat Encoding { get; }

    /// <summary>Bytes that they take.</summary>
    public int Bytes { get; }
}
