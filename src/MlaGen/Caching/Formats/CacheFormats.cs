namespace MlaGen.Runtime;

/// <summary>What each format makes of a row's segments. A new format is a value of <see cref="CacheFormat"/>, a codec, and its lines here.</summary>
internal static class CacheFormats
{
    public const string Latent = "latent";
    public const string Rope = "rope";
    public const string Index = "index";

    /// <summary>How a format encodes the rotary key: never in fewer than 16 bits.</summary>
    public static CacheFormat RopeEncoding(CacheFormat format) => format is CacheFormat.Float32 or CacheFormat.Float16 ? format : CacheFormat.BFloat16;

    /// <summary>The codec of an encoding that decodes with vectors of one width.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such encoding.</exception>
    public static SegmentCodec Codec<V>(CacheFormat encoding, int elements)
        where V : struct, ILanes<V> => encoding switch
        {
            CacheFormat.Float32 => new Float32Segment(elements),
            CacheFormat.BFloat16 => new BFloat16Segment<V>(elements),
            CacheFormat.Float16 => new Float16Segment<V>(elements),
            CacheFormat.Float8 => new Float8Segment<V>(elements),
            CacheFormat.Int8 => new Int8Segment<V>(elements),
            _ => throw new ArgumentOutOfRangeException(nameof(encoding), encoding, "There is no such cache format."),
        };
}
