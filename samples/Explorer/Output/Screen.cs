namespace Explorer.Output;

/// <summary>What a report is read on.</summary>
/// <param name="Width">Characters of a line.</param>
/// <param name="ShowsProgress">Whether somebody watches standard error.</param>
internal sealed record Screen(int Width, bool ShowsProgress)
{
    /// <summary>A file, or a program that reads the report.</summary>
    public static readonly Screen None = new(80, ShowsProgress: false);

    /// <summary>The terminal of this process, as far as there is one.</summary>
    public static Screen OfProcess() => new(Console.IsOutputRedirected ? None.Width : TerminalWidth(), !Console.IsErrorRedirected);

    private static int TerminalWidth()
    {
        try
        {
            // Some terminals do not know.
            return Console.WindowWidth > 0 ? Console.WindowWidth : None.Width;
        }
        catch (Exception problem) when (problem is IOException or PlatformNotSupportedException)
        {
            return None.Width;
        }
    }
}
