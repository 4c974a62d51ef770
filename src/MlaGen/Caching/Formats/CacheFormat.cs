namespace MlaGen;

/// <summary>
/// How the cache keeps a token: a latent of R numbers and a rotary key of d. The rotary key is never quantised; arithmetic is float32 in every
/// format. A value that a format cannot hold is an <see cref="OverflowException"/> that names its token. What is not finite only
/// <see cref="Float32"/> can hold: those tokens that see such a row get what arithmetic makes of it, and no others.
/// </summary>
public enum CacheFormat
{
    /// <summary>32-bit floats: 4(R + d) bytes, the values as computed.</summary>
    Float32,

    /// <summary>The upper halves of floats, rounded to nearest even: 2(R + d) bytes, three digits of any magnitude.</summary>
    BFloat16,

    /// <summary>IEEE half precision, rounded to nearest even: 2(R + d) bytes, four digits of magnitudes up to 65,504.</summary>
    Float16,

    /// <summary>
    /// DeepSeek's fp8 cache as FlashMLA lays it out: latents as e4m3 with a power of two for each 128 as their scale, the rotary key in bf16.
    /// R + 4⌈R/128⌉ + 2d bytes: 656 at 512 + 64.
    /// </summary>
    Float8,

    /// <summary>
    /// Latents as symmetric 8-bit integers with a half-precision scale for each 64, the rotary key in bf16. R + 2⌈R/64⌉ + 2d bytes: 656 at 512 + 64.
    /// </summary>
    Int8,
}
