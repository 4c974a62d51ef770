namespace MlaGen;

/// <summary>Counts in messages.</summary>
internal static class Counted
{
    /// <summary><c>1 page</c>, <c>2 pages</c>, <c>0 pages</c>.</summary>
    /// <param name="count">How many.</param>
    /// <param name="thing">What, in the singular; its plural ends in s.</param>
    public static string Of(Int128 count, string thing) => FormattableString.Invariant($"{count} {thing}{(count == 1 ? "" : "s")}");
}
