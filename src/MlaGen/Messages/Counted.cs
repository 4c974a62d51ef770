using System.Globalization;

namespace MlaGen;

/// <summary>Counts in messages. Generator and build task compile this file too.</summary>
internal static class Counted
{
    /// <summary><c>1 page</c>, <c>2 pages</c>, <c>0 pages</c>.</summary>
    /// <param name="count">How many.</param>
    /// <param name="thing">What, in the singular; its plural ends in s.</param>
    public static string Of(long count, string thing) => count.ToString(CultureInfo.InvariantCulture) + Plural(count == 1, thing);

#if NET
    /// <inheritdoc cref="Of(long, string)"/>
    public static string Of(Int128 count, string thing) => count.ToString(CultureInfo.InvariantCulture) + Plural(count == 1, thing);
#endif

    private static string Plural(bool isOne, string thing) => isOne ? $" {thing}" : $" {thing}s";
}
