using System.Collections.Immutable;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using MlaGen.Generator.Model;

namespace MlaGen.Generator.Emission;

/// <summary>
/// Names of files in which no two classes meet: not where letters of either case are one, nor where a nested class is called like a
/// part of another, nor on a file system that folds, composes or cuts. A class keeps its plain name wherever that is safe, else a hash is added to it.
/// </summary>
internal static class UniqueNames
{
    /// <summary>The longest name of a component on the narrowest file system in use (143 bytes) less the longest part, with room to spare.</summary>
    private const int MostFileCharacters = 100;

    /// <summary>What the names of the files of a class end in.</summary>
    public static readonly ImmutableArray<string> Parts = [string.Empty, ".Weights"];

    // What Windows takes for a device, whatever comes behind the first dot.
    private static readonly ImmutableHashSet<string> _devices = ImmutableHashSet.Create(
        StringComparer.OrdinalIgnoreCase,
        ["CON", "PRN", "AUX", "NUL", .. Enumerable.Range(0, 10).SelectMany(static i => new[] { $"COM{i}", $"LPT{i}" })]);

    /// <summary>Of several classes those that would meet another one in the name of a file, by their metadata names.</summary>
    public static EquatableArray<string> Meeting(IEnumerable<TargetClass> targets)
    {
        IEnumerable<IGrouping<string, string>> files = targets
            .Distinct()
            .SelectMany(static target => Parts.Select(part => (File: target.FullName + part, target.MetadataName)))
            .GroupBy(static entry => entry.File, static entry => entry.MetadataName, StringComparer.OrdinalIgnoreCase);
        return new(files.Where(static file => file.Skip(1).Any()).SelectMany(static file => file).Distinct().OrderBy(static name => name, StringComparer.Ordinal));
    }

    /// <summary>What the names of a class's files begin with.</summary>
    /// <param name="target">The class.</param>
    /// <param name="meeting">The classes that need more than their names.</param>
    public static string FilePrefix(TargetClass target, EquatableArray<string> meeting)
    {
        string name = target.FullName;
        bool isDevice = _devices.Contains(name.Split('.')[0]);
        bool isPlain = !isDevice && name.Length <= MostFileCharacters && name.All(static c => c <= '~') && !meeting.Contains(target.MetadataName);

        // A minus sign stands in no identifier.
        return isPlain ? name : $"{(isDevice ? "_" : string.Empty)}{Cut(name, MostFileCharacters / 2)}-{Hash(target)}";
    }

    /// <summary>As many whole characters as take no more than so many bytes.</summary>
    private static string Cut(string name, int bytes)
    {
        int length = name.Length;
        while (Encoding.UTF8.GetByteCount(name.Substring(0, length)) > bytes)
        {
            length--;
        }

        return name.Substring(0, length);
    }

    private static string Hash(TargetClass target)
    {
        using var sha = SHA256.Create();
        return string.Concat(sha.ComputeHash(Encoding.UTF8.GetBytes(target.MetadataName)).Take(8).Select(static b => b.ToString("x2", CultureInfo.InvariantCulture)));
    }
}
