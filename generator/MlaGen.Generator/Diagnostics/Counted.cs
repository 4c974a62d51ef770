using System.Globalization;

namespace MlaGen.Generator.Diagnostics;

/// <summary>Counts in messages.</summary>
internal static class Counted
{
    /// <summary><c>1 element</c>, <c>2 elements</c>, <c>0 elements</c>.</summary>
    /// <param name="count">How many.</param>
    /// <param name="thing">What, in the singular; its plural ends in s.</param>
    public static string Of(long count, string thing) => count.ToString(CultureInfo.InvariantCulture) + " " + thing + (count == 1 ? string.Empty : "s");
}
