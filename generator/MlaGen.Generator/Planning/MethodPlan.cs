namespace MlaGen.Generator.Planning;

/// <summary>An emitted method and what it takes of the limits beyond which the JIT gives up its optimisations without a word.</summary>
/// <param name="Name">Its name.</param>
/// <param name="IlInstructions">About how many IL instructions it becomes, and no fewer than the compiler writes.</param>
/// <param name="MultiplyAdds">Multiply-add statements.</param>
/// <param name="Locals">Named locals.</param>
/// <param name="Registers">Vector registers of its loop; null where no loop keeps sums.</param>
internal sealed record MethodPlan(string Name, int IlInstructions, int MultiplyAdds, int Locals, RegisterLedger? Registers)
{
    /// <summary>The JIT drops all optimisation at 20,000 IL instructions; well below that its work still stays short.</summary>
    public const int MostIlInstructions = 8000;

    /// <summary>What is more is compiled slowly and falls out of the instruction cache.</summary>
    public const int MostMultiplyAdds = 1000;

    /// <summary>The JIT stops inlining at 512 locals, its own included: every vector operation would become a call.</summary>
    public const int MostLocals = 256;

    /// <summary>Refuses a method beyond a limit: no shape that is accepted may lead to one.</summary>
    /// <param name="kernel">Whose method it is.</param>
    /// <exception cref="InvalidOperationException">A limit is exceeded.</exception>
    public void Check(string kernel)
    {
        Check(kernel, "IL instructions", IlInstructions, MostIlInstructions);
        Check(kernel, "multiply-add statements", MultiplyAdds, MostMultiplyAdds);
        Check(kernel, "locals", Locals, MostLocals);
        if (Registers is { } ledger)
        {
            Check(kernel, "vector registers", ledger.Total, ledger.Limit);
        }
    }

    private void Check(string kernel, string what, int planned, int most)
    {
        if (planned > most)
        {
            throw new InvalidOperationException($"{kernel}: {Name} is planned with {planned} {what}, at most {most} are allowed. The planner should have cut it smaller.");
        }
    }
}
