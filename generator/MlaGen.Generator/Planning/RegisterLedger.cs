namespace MlaGen.Generator.Planning;

/// <summary>Who uses the vector registers inside a tile's loop: what must stay in them from one step to the next, beside what a step loads.</summary>
/// <param name="Sums">One for each broadcast row and vector, alive from the first step to the last.</param>
/// <param name="Operands">Vectors that a step loads and multiplies with every row.</param>
/// <param name="Broadcasts">The row's element in every lane; one row follows the other.</param>
/// <param name="Limit">Registers that may be used. Addresses and counters lie in registers of another kind.</param>
internal sealed record RegisterLedger(int Sums, int Operands, int Broadcasts, int Limit)
{
    /// <summary>Registers in use; one more than the limit, and the sums go through memory in each step.</summary>
    public int Total => Sums + Operands + Broadcasts;

    /// <summary>Registers left over.</summary>
    public int Spare => Limit - Total;

    /// <summary>The ledger of a tile of so many rows by vectors: each vector is loaded once and each row broadcast once for all of them.</summary>
    public static RegisterLedger Of(int rows, int vectors, SimdTier tier) => new(rows * vectors, vectors, Broadcasts: 1, tier.RegisterBudget);
}
