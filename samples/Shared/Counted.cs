using System.Globalization;

namespace Samples;

/// <summary>Counts in messages.</summary>
internal static class Counted
{
    /// <summary><c>1 token</c>, <c>2 tokens</c>, <c>0 tokens</c>.</summary>
    /// <param name="count">How many.</param>
    /// <param name="thing">What, in the singular.</param>
    /// <param name="plural">Its plural, where that does not just end in s.</param>
    public static string Of(long count, string thing, string? plural = null) =>
        string.Create(CultureInfo.InvariantCulture, $"{count} {(count == 1 ? thing : plural ?? thing + "s")}");
}
