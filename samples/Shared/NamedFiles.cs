namespace Samples;

/// <summary>Files that options name. They are looked at before the work begins whose result could not be kept.</summary>
internal static class NamedFiles
{
    /// <exception cref="UserException">There is no such file.</exception>
    public static void CheckReadable(string option, string path)
    {
        if (Directory.Exists(path))
        {
            throw new UserException($"{option} takes a file, and {path} is a directory");
        }

        if (!File.Exists(path))
        {
            throw new UserException($"{option}: there is no file {path}");
        }
    }

    /// <exception cref="UserException">There is no such directory.</exception>
    public static void CheckDirectory(string option, string path)
    {
        if (!Directory.Exists(path))
        {
            throw new UserException(File.Exists(path) ? $"{option} takes a directory, and {path} is a file" : $"{option}: there is no directory {path}");
        }
    }

    /// <exception cref="UserException">No file can be written there. Nothing was changed.</exception>
    public static void CheckWritable(string option, string path)
    {
        if (Directory.Exists(path) || Path.EndsInDirectorySeparator(path))
        {
            throw new UserException($"{option} takes a file, and {path} is a directory");
        }

        try
        {
            string target = TargetOf(path);
            string directory = Path.GetDirectoryName(target)!;
            if (!Directory.Exists(directory))
            {
                throw new UserException($"{option} {path}: there is no directory {directory}");
            }

            if (Exists(target) && IsSpecial(target))
            {
                throw new UserException($"{option} takes a file, and {path} is a device or a pipe");
            }

            // What is saved is first written beside its place.
            string beside = Path.Combine(directory, $".{Guid.NewGuid():N}.tmp");
            new FileStream(beside, FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferSize: 0, FileOptions.DeleteOnClose).Dispose();
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            throw new UserException($"{option} {path}: no file can be written there");
        }
    }

    /// <summary>Where links lead.</summary>
    public static string TargetOf(string path)
    {
        FileInfo file = new(path);
        return file.LinkTarget is null ? file.FullName : file.ResolveLinkTarget(returnFinalTarget: true)!.FullName;
    }

    /// <exception cref="IOException">No file can have such a name.</exception>
    private static bool Exists(string path)
    {
        try
        {
            File.GetAttributes(path);
            return true;
        }
        catch (FileNotFoundException)
        {
            return false;
        }
    }

    /// <summary>Whether a path leads to something that has no bytes of its own. To open it may wait for ever, so that is left to the last.</summary>
    private static bool IsSpecial(string path)
    {
        if (OperatingSystem.IsWindows() || new FileInfo(path).Length > 0)
        {
            return false;
        }

        if (path.StartsWith("/dev/", StringComparison.Ordinal) && !path.StartsWith("/dev/shm/", StringComparison.Ordinal))
        {
            return true;
        }

        // A pipe that is opened for both ends waits for neither.
        try
        {
            using FileStream file = new(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite, bufferSize: 0);
            return !file.CanSeek;
        }
        catch (UnauthorizedAccessException)
        {
            // A file that is read-only can be replaced all the same.
            return false;
        }
    }
}
