namespace MlaGen;

/// <summary>Which elements of a rotary part form the pair that one angle turns.</summary>
public enum RopeLayout
{
    /// <summary>Neighbours <c>(x[2i], x[2i+1])</c>: DeepSeek, Kimi, GLM, Mistral, LongCat.</summary>
    Interleaved,

    /// <summary>Halves <c>(x[i], x[i + d/2])</c>: MiniCPM3, Hunyuan.</summary>
    HalfSplit,

    /// <summary>No rotation; the rotary part is still projected, cached and compared: Kimi-Linear.</summary>
    None,
}
