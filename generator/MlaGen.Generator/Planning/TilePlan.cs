namespace MlaGen.Generator.Planning;

/// <summary>What the loop of a tile adds up.</summary>
internal enum TileKind
{
    /// <summary>Scores: tokens broadcast, columns in lanes.</summary>
    Scores,

    /// <summary>Scores of a few columns: the depth in lanes, each sum added up across its lanes at the end.</summary>
    ScoresByDepth,

    /// <summary>Values: columns' probabilities broadcast, dimensions in lanes.</summary>
    Values,
}

/// <summary>One emitted inner loop: rows by vectors, each pair a sum that stays in a register.</summary>
/// <param name="Kind">What it adds up.</param>
/// <param name="Rows">Tokens of a score tile, columns of a value tile.</param>
/// <param name="Lanes">Floats of a vector.</param>
/// <param name="Vectors">Vectors beside each other.</param>
/// <param name="Prefetches">How often a round of the loop asks for a part of what is next.</param>
internal sealed record TilePlan(TileKind Kind, int Rows, int Lanes, int Vectors, int Prefetches = 0)
{
    /// <summary>Columns of a score tile, dimensions of a value tile. With the depth in lanes each column has a vector of its own.</summary>
    public int Width => Kind == TileKind.ScoresByDepth ? Vectors : Lanes * Vectors;

    /// <summary>Name of the emitted method: every size that it is specialised to.</summary>
    public string Name => Kind switch
    {
        TileKind.Scores => $"Scores{Counted(Rows, "Token")}{Counted(Width, "Column")}",
        TileKind.ScoresByDepth => $"Scores{Counted(Rows, "Token")}{Counted(Width, "Column")}ByDepth",
        _ => $"Values{Counted(Rows, "Column")}{Counted(Width, "Dimension")}",
    };

    /// <summary>A number and a noun, in the plural where there are several.</summary>
    public static string Counted(int count, string noun) => count == 1 ? $"1{noun}" : $"{count}{noun}s";
}
