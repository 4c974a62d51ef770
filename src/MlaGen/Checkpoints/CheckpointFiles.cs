using Microsoft.Win32.SafeHandles;

namespace MlaGen.Runtime;

/// <summary>Opens the files of a checkpoint; whatever the file system refuses becomes a <see cref="CheckpointException"/>.</summary>
internal static class CheckpointFiles
{
    /// <summary>Opens a file for reading.</summary>
    /// <exception cref="ArgumentException">The path is empty or has a zero in it.</exception>
    /// <exception cref="CheckpointException">There is no such file, it is empty or no regular file, or it may not be read.</exception>
    public static SafeFileHandle Open(string path, out long length)
    {
        try
        {
            SafeFileHandle handle = RegularFile.TryOpenRead(path, out length, out FileStatus status)
                ?? throw new CheckpointException($"is {status.Describe()}; expected a file", path);
            if (length > 0)
            {
                return handle;
            }

            handle.Dispose();
            throw new CheckpointException("is empty", path);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new CheckpointException("does not exist", path, tensor: null, e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Unreadable(path, e);
        }
    }

    /// <summary>Reads a whole file that may not be longer than <paramref name="longest"/> bytes.</summary>
    public static byte[] ReadAll(string path, int longest)
    {
        using SafeFileHandle handle = Open(path, out long length);
        if (length > longest)
        {
            throw new CheckpointException($"is {Counted.Of(length, "byte")} long; at most {longest} are read", path);
        }

        byte[] bytes = new byte[length];
        Read(handle, path, length, 0, bytes);
        return bytes;
    }

    /// <summary>Reads a part of a file that must still be as long as it was when it was opened.</summary>
    public static void Read(SafeFileHandle handle, string path, long length, long offset, Span<byte> destination)
    {
        try
        {
            long now = RandomAccess.GetLength(handle);
            int read = now == length ? RegularFile.Read(handle, offset, destination) : 0;
            if (read < destination.Length || now != length)
            {
                throw new CheckpointException($"was changed: it was {Counted.Of(length, "byte")} long when it was opened, and {RandomAccess.GetLength(handle)} when it was read", path);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Unreadable(path, e);
        }
    }

    private static CheckpointException Unreadable(string path, Exception cause) => new($"cannot be read: {cause.Message}", path, tensor: null, cause);
}
