namespace MlaGen.Models;

/// <summary>A model's <c>config.json</c> cannot be used. The message is one line that names the file, the key, and what was expected and found.</summary>
public sealed class ModelConfigException : Exception
{
    /// <summary>Makes an exception whose message is the file and the problem.</summary>
    /// <param name="problem">Key, what was expected, and what was found.</param>
    /// <param name="file">The file at fault.</param>
    /// <param name="innerException">The cause, if there is one.</param>
    public ModelConfigException(string problem, string file, Exception? innerException = null)
        : base($"{file}: {problem}", innerException) => File = file;

    /// <summary>The file at fault.</summary>
    public string File { get; }
}
