namespace MlaGen;

/// <summary>How the weights of a <see cref="Linear"/> are kept in memory.</summary>
public enum WeightFormat
{
    /// <summary>As they are stored: BF16, F16, F32, or F8_E4M3 with its scales.</summary>
    Stored,

    /// <summary>Signed bytes, each 32 neighbouring inputs of an output with one fp16 scale: 8.5 bits a weight.</summary>
    Int8Group32,

    /// <summary>Signed bytes, each 64 neighbouring inputs of an output with one fp16 scale: 8.25 bits a weight.</summary>
    Int8Group64,

    /// <summary>Four bits, each 32 neighbouring inputs of an output with one fp16 scale: 4.5 bits a weight.</summary>
    Int4Group32,

    /// <summary>Four bits, each 64 neighbouring inputs of an output with one fp16 scale: 4.25 bits a weight.</summary>
    Int4Group64,
}
