namespace MlaGen.Runtime;

/// <summary>
/// The types of tensors that weights are read from, by their names in a safetensors header, and the scales that one of them has. The generator compiles
/// this file too, so that the build and the loading agree.
/// </summary>
internal static class LoadableTypes
{
    /// <summary>The type of matrices that have scales beside them.</summary>
    public const string Scaled = "F8_E4M3";

    /// <summary>The types of a matrix, in words.</summary>
    public const string Matrices = $"BF16, F16, F32 or scaled {Scaled}";

    /// <summary>The types of a vector, and of scales, in words.</summary>
    public const string Vectors = "BF16, F16 or F32";

    /// <summary>Rows and columns that share one scale where scales are for blocks, as DeepSeek publishes them.</summary>
    public const int BlockSize = 128;

    public static bool IsVector(string type) => type is "BF16" or "F16" or "F32";

    public static bool IsMatrix(string type) => IsVector(type) || type == Scaled;

    /// <summary>Blocks that cover a number of rows or columns.</summary>
    public static int BlocksOf(int elements) => ((elements - 1) / BlockSize) + 1;

    /// <summary>The shapes that scales may have, and where they come from, behind the shape of those for blocks.</summary>
    public static string ScaleFormula(int rows, int columns) => FormattableString.Invariant($"[⌈{rows}/{BlockSize}⌉, ⌈{columns}/{BlockSize}⌉], [{rows}, 1] or [1]");
}
