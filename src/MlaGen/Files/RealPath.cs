namespace MlaGen.Runtime;

/// <summary>Finds where a path leads once every link on the way is followed.</summary>
internal static class RealPath
{
    private const int MaxLinks = 40;

    private static readonly char[] _separators = [Path.DirectorySeparatorChar, Path.AltDirectorySeparatorChar];

    /// <summary>The path without links, "." and "..", resolved in the order the operating system resolves them.</summary>
    /// <exception cref="IOException">The links go in circles.</exception>
    public static string Resolve(string path)
    {
        string full = Path.GetFullPath(path);
        string current = Path.GetPathRoot(full)!;
        var pending = new Stack<string>();
        Push(pending, full[current.Length..]);
        int links = 0;
        while (pending.TryPop(out string? part))
        {
            if (part == "..")
            {
                current = Path.GetDirectoryName(current) ?? current;
            }
            else if (part != ".")
            {
                string next = Path.Combine(current, part);
                if (new FileInfo(next).LinkTarget is not { } target)
                {
                    current = next;
                    continue;
                }

                if (++links > MaxLinks)
                {
                    throw new IOException($"More than {MaxLinks} symbolic links on the way.");
                }

                string root = Path.GetPathRoot(target)!;
                current = root.Length > 0 ? root : current;
                Push(pending, target[root.Length..]);
            }
        }

        return current;
    }

    private static void Push(Stack<string> pending, string path)
    {
        foreach (string part in path.Split(_separators, StringSplitOptions.RemoveEmptyEntries).Reverse())
        {
            pending.Push(part);
        }
    }
}
