namespace MlaGen;

/// <summary>How attention over the cached latents is carried out. Both forms compute the same thing, up to rounding.</summary>
public enum MlaForm
{
    /// <summary>Chosen for each sequence by a cost model fixed at compile time from the shape.</summary>
    Auto,

    /// <summary>Queries are moved into latent space and attend to the cached rows themselves: the form for few new tokens, and for trees of them.</summary>
    Absorbed,

    /// <summary>Cached rows are expanded into keys and values of each head, tile by tile: the form for many new tokens.</summary>
    Decompressed,
}
