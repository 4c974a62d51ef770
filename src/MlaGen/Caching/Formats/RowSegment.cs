namespace MlaGen;

/// <summary>A part of a cached row that is encoded by itself.</summary>
/// <param name="Name">What it is: <c>latent</c> or <c>rope</c>. At most eight ASCII characters, by which cache files know it.</param>
/// <param name="Elements">Numbers of it.</param>
/// <param name="Encoding">How they are encoded: the format whose latents are encoded so.</param>
/// <param name="Bytes">Bytes that they take.</param>
public sealed record RowSegment(string Name, int Elements, CacheFormat Encoding, int Bytes);
