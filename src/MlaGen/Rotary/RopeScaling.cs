namespace MlaGen;

/// <summary>How rotary frequencies are stretched beyond the trained context.</summary>
public enum RopeScaling
{
    /// <summary>Frequencies as they are: <c>theta^(-2i/d)</c>.</summary>
    None,

    /// <summary>YaRN (Peng et al., 2023), as in transformers' <c>_compute_yarn_parameters</c>.</summary>
    Yarn,

    /// <summary>LongRoPE (Ding et al., 2024) with one static set of factors.</summary>
    LongRope,
}
