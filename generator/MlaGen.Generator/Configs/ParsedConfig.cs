using System.Collections.Immutable;
using Microsoft.CodeAnalysis.Text;
using MlaGen.Generator.Model;

namespace MlaGen.Generator.Configs;

/// <summary>A configuration as the analyzer needs it: with every problem, and with the place of every value. Only <see cref="Model"/> goes on to emission.</summary>
/// <param name="Model">What it says, without a position: reformatting the file changes nothing here.</param>
/// <param name="Problems">What is wrong with it by itself.</param>
/// <param name="Places">Where each setting was read, by the name of the attribute's property.</param>
/// <param name="Root">Where to report what has no place of its own: what is missing.</param>
internal sealed record ParsedConfig(
    ConfigModel Model,
    ImmutableArray<ConfigProblem> Problems,
    ImmutableDictionary<string, TextSpan> Places,
    TextSpan Root)
{
    /// <summary>The file's own keys, in which a missing one may stand misspelt.</summary>
    public ImmutableArray<string> Keys { get; init; } = ImmutableArray<string>.Empty;

    /// <summary>Where a setting was read, or where to say that it was not.</summary>
    public TextSpan PlaceOf(string property) => Places.TryGetValue(property, out TextSpan place) ? place : Root;
}
