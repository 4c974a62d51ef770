using System.Text.RegularExpressions;

namespace MlaGen.Tests.Jit;

/// <summary>The machine code of one method, as the JIT prints it.</summary>
internal sealed partial record JitListing(string Method, string Optimization, IReadOnlyList<string> Lines)
{
    /// <summary>Whether an operation jumps where its result overflows.</summary>
    public bool ChecksForOverflow => Lines.Any(line => line.StartsWith("jo ", StringComparison.Ordinal) || line.Contains("OVERFLOW", StringComparison.Ordinal));

    /// <summary>Splits what the JIT printed into its methods.</summary>
    public static IReadOnlyList<JitListing> Parse(string text)
    {
        var listings = new List<JitListing>();
        string? method = null;
        string optimization = string.Empty;
        var lines = new List<string>();
        foreach (string line in text.Split('\n').Append("; Assembly listing for method end"))
        {
            Match header = Header().Match(line);
            if (header.Success)
            {
                if (method is not null)
                {
                    listings.Add(new JitListing(method, optimization, lines));
                }

                method = header.Groups["method"].Value;
                lines = [];
                optimization = string.Empty;
            }
            else if (optimization.Length == 0 && Code().Match(line) is { Success: true } code)
            {
                optimization = code.Groups["kind"].Value;
            }

            lines.Add(line.Trim());
        }

        return listings;
    }

    /// <summary>Bodies of the innermost loops that multiply and add vectors: from a label to the jump back to it.</summary>
    public IEnumerable<IReadOnlyList<string>> FmaLoops()
    {
        var labels = new Dictionary<string, int>();
        for (int i = 0; i < Lines.Count; i++)
        {
            if (Label().Match(Lines[i]) is { Success: true } label)
            {
                labels[label.Groups["name"].Value] = i;
            }
            else if (Jump().Match(Lines[i]) is { Success: true } jump && labels.TryGetValue(jump.Groups["target"].Value, out int start))
            {
                string[] body = [.. Lines.Skip(start).Take(i - start + 1)];
                bool inner = !body.Skip(1).Take(body.Length - 2).Any(line => Jump().Match(line) is { Success: true } other && labels.TryGetValue(other.Groups["target"].Value, out int at) && at > start);
                if (inner && body.Any(line => line.StartsWith("vfmadd", StringComparison.Ordinal)))
                {
                    yield return body;
                }
            }
        }
    }

    [GeneratedRegex(@"^; Assembly listing for method (?<method>.+)$")]
    private static partial Regex Header();

    [GeneratedRegex(@"^; (?<kind>\S.*) code\b")]
    private static partial Regex Code();

    [GeneratedRegex(@"^(?<name>G_M\w+_IG\d+):")]
    private static partial Regex Label();

    [GeneratedRegex(@"^j\w+\s+(SHORT )?(?<target>G_M\w+_IG\d+)")]
    private static partial Regex Jump();
}
