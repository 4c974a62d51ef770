using System.IO.MemoryMappedFiles;
using Microsoft.Win32.SafeHandles;

namespace MlaGen.Runtime;

/// <summary>Opens the files of a checkpoint; whatever the file system refuses becomes a <see cref="CheckpointException"/>.</summary>
internal static class CheckpointFiles
{
    /// <summary>Maps a whole file for reading.</summary>
    public static MemoryMappedViewAccessor Map(string path, out long length)
    {
        CheckOpenable(path);
        try
        {
            using SafeFileHandle handle = File.OpenHandle(path);
            length = RandomAccess.GetLength(handle);
            using var mapping = MemoryMappedFile.CreateFromFile(handle, mapName: null, capacity: 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: true);

            // The view lives on without the mapping and the handle it was made from.
            return mapping.CreateViewAccessor(0, length, MemoryMappedFileAccess.Read);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw Unreadable(path, e);
        }
    }

    /// <summary>Reads a whole file that may not be longer than <paramref name="longest"/> bytes.</summary>
    public static byte[] ReadAll(string path, int longest)
    {
        CheckOpenable(path);
        try
        {
            using SafeFileHandle handle = File.OpenHandle(path);
            long length = RandomAccess.GetLength(handle);
            if (length > longest)
            {
                throw new CheckpointException($"is {Counted.Of(length, "byte")} long; at most {longest} are read", path);
            }

            byte[] bytes = new byte[length];
            for (int done = 0; done < bytes.Length;)
            {
                int read = RandomAccess.Read(handle, bytes.AsSpan(done), done);
                done += read > 0 ? read : throw new CheckpointException($"ended after {done} of {Counted.Of(length, "byte")}", path);
            }

            return bytes;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Unreadable(path, e);
        }
    }

    /// <summary>Refuses what cannot be a checkpoint's file. Looks without opening: to open a named pipe would wait for its other end.</summary>
    private static void CheckOpenable(string path)
    {
        if (Directory.Exists(path))
        {
            throw new CheckpointException("is a directory; expected a file", path);
        }

        var file = new FileInfo(path);
        if (!file.Exists)
        {
            throw new CheckpointException("does not exist", path);
        }

        if (file.Length == 0)
        {
            throw new CheckpointException("is empty", path);
        }
    }

    private static CheckpointException Unreadable(string path, Exception cause) => new($"cannot be read: {cause.Message}", path, tensor: null, cause);
}
