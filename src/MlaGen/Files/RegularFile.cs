using Microsoft.Win32.SafeHandles;

namespace MlaGen.Runtime;

/// <summary>Reads regular files, and nothing else: a pipe would wait for its other end, a device need not end.</summary>
internal static class RegularFile
{
    /// <summary>Opens a file for reading; links are followed.</summary>
    /// <param name="path">The file.</param>
    /// <param name="length">Its length.</param>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be read.</exception>
    /// <exception cref="IOException">It is no regular file, or cannot be opened.</exception>
    public static SafeFileHandle OpenRead(string path, out long length) =>
        TryOpenRead(path, out length, out FileStatus status) ?? throw new IOException($"{path} is {status.Describe()}; only regular files are read.");

    /// <summary><see cref="OpenRead"/> that opens nothing where the file is no regular one.</summary>
    /// <param name="path">The file.</param>
    /// <param name="length">Its length.</param>
    /// <param name="status">What it is.</param>
    /// <returns>The file; null if it is no regular one.</returns>
    public static SafeFileHandle? TryOpenRead(string path, out long length, out FileStatus status)
    {
        length = 0;
        status = FileStatus.Of(path);
        if (status.Kind is not (FileKind.Regular or FileKind.Missing))
        {
            return null;
        }

        // Whatever takes its place now is opened, but not waited for: it has no length then.
        SafeFileHandle handle = Posix.IsSupported
            ? Posix.OpenForReading(path)
            : File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        try
        {
            length = RandomAccess.GetLength(handle);
            return handle;
        }
        catch (NotSupportedException)
        {
            handle.Dispose();
            status = new FileStatus(FileKind.Pipe);
            return null;
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    /// <summary>Reads from an open file until the destination is full or the file ends.</summary>
    /// <returns>Bytes read.</returns>
    public static int Read(SafeFileHandle file, long offset, Span<byte> destination)
    {
        int done = 0;
        for (int read = -1; read != 0 && done < destination.Length; done += read)
        {
            read = RandomAccess.Read(file, destination[done..], offset + done);
        }

        return done;
    }
}
