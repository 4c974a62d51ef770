namespace MlaGen;

/// <summary>
/// A checkpoint cannot be used: the file is missing or malformed, or one of its tensors does not fit. The message is one line that names the
/// file, the tensor where there is one, and what was expected and found.
/// </summary>
public sealed class CheckpointException : Exception
{
    private const int LongestQuote = 200;

    /// <summary>Makes an exception whose message is the file, the tensor and the problem.</summary>
    /// <param name="problem">What was expected and what was found.</param>
    /// <param name="file">The file or directory at fault.</param>
    /// <param name="tensor">Full name of the tensor at fault, if it is one tensor's.</param>
    /// <param name="innerException">The cause, if there is one.</param>
    public CheckpointException(string problem, string file, string? tensor = null, Exception? innerException = null)
        : base(tensor is null ? $"{file}: {problem}" : $"{file}: tensor {Quote(tensor)} {problem}", innerException)
    {
        File = file;
        Tensor = tensor;
    }

    /// <summary>The file or directory at fault.</summary>
    public string File { get; }

    /// <summary>Full name of the tensor at fault; null when it is not one tensor's.</summary>
    public string? Tensor { get; }

    /// <summary>Quotes text from a file for a message. Such text may be hostile: millions of characters, line breaks, terminal escapes, changes of direction.</summary>
    internal static string Quote(string text)
        => $"'{Unprintable.Escape(text, LongestQuote)}'";
}
