namespace MlaGen.Tests.Caching;

/// <summary>One thing done to a cache. Numbers are taken modulo what there is, so that every list of operations means something.</summary>
internal abstract record Operation
{
    public sealed record Create : Operation;

    public sealed record Fork(int Sequence) : Operation;

    public sealed record Add(int Sequence, int Tokens, int Positions) : Operation;

    public sealed record AddTree(int Sequence, int Tokens, int Seed) : Operation;

    public sealed record Ask(int Sequence, int Queries) : Operation;

    public sealed record RunLayers(int Count) : Operation;

    public sealed record Accept(int Entry, int Token) : Operation;

    public sealed record Commit : Operation;

    public sealed record Rollback : Operation;

    public sealed record Truncate(int Sequence, int Length) : Operation;

    public sealed record Reserve(int Sequence, int Tokens) : Operation;

    public sealed record Dispose(int Sequence) : Operation;

    public sealed record Register(int Sequence) : Operation;

    public sealed record Start(int Sequence, int Length) : Operation;

    public sealed record Evict(int Pages) : Operation;

    public sealed record EvictWhenFull(bool Yes) : Operation;

    /// <summary>Saves all sequences but those whose bits are set, over what was saved before.</summary>
    public sealed record Save(int Except) : Operation;

    /// <summary>Brings back what was saved last.</summary>
    public sealed record Load : Operation;

    /// <summary>The so-manieth thing from here that can run out does.</summary>
    public sealed record Fault(int After) : Operation;
}
