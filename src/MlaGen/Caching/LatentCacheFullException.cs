namespace MlaGen;

/// <summary>A <see cref="LatentCache{TAttention}"/> has fewer free pages than were asked for. Nothing was reserved.</summary>
public sealed class LatentCacheFullException : InvalidOperationException
{
    internal LatentCacheFullException(int wantedPages, int freePages, int pageCount, int pageTokens)
        : base(FormattableString.Invariant(
            $"{Counted.Of(wantedPages, "more page")} of {Counted.Of(pageTokens, "token")} needed, {freePages} of the cache's {pageCount} free. Truncate or dispose sequences, or create the cache for more tokens."))
    {
        WantedPages = wantedPages;
        FreePages = freePages;
        PageTokens = pageTokens;
    }

    /// <summary>Pages that were needed on top of those the sequence has.</summary>
    public int WantedPages { get; }

    /// <summary>Pages that were free at that moment.</summary>
    public int FreePages { get; }

    /// <summary>Tokens a page holds.</summary>
    public int PageTokens { get; }
}
