using Microsoft.Win32.SafeHandles;

namespace MlaGen.Runtime;

/// <summary>
/// Replaces a file as a whole: the new one is written beside it, under a name that nobody can foresee, flushed, and renamed. At every moment the
/// path leads to the old bytes or to the new ones, whoever else replaces it and whatever happens. Without <see cref="Commit"/> nothing remains.
/// </summary>
/// <remarks>A link is followed: its target is replaced, the link stays. Other names of the same file keep the old bytes.</remarks>
internal sealed class FileReplacement : IDisposable
{
    private readonly string _target;
    private readonly string _directory;
    private readonly string _temporary;
    private readonly FileStatus _replaced;
    private readonly FileStream _stream;
    private bool _committed;

    /// <summary>Begins a new file.</summary>
    /// <param name="path">The file to replace, or to create.</param>
    /// <param name="bytes">How long the new one will be: where the disk has no room, that is found at once.</param>
    /// <param name="temporary">The new file's name until it is whole; none for one that nobody can foresee.</param>
    /// <exception cref="DirectoryNotFoundException">The directory does not exist.</exception>
    /// <exception cref="UnauthorizedAccessException">Nothing may be written there.</exception>
    /// <exception cref="IOException">The path leads to something other than a regular file, something has the temporary name, or the disk is full.</exception>
    public FileReplacement(string path, long bytes, string? temporary = null)
    {
        // Asked by the path itself, too: what is open as /dev/stdout may have no name of its own.
        FileStatus status = FileStatus.Of(path);
        _target = RealPath.Resolve(path);
        _replaced = FileStatus.Of(_target);
        Refuse(path, status);
        Refuse(path, _replaced);
        if (Path.EndsInDirectorySeparator(path) || (status.Kind == FileKind.Regular && _replaced.Kind == FileKind.Missing))
        {
            throw new IOException($"{path} is no name of a file that could be replaced.");
        }

        _directory = Path.GetDirectoryName(_target)!;
        if (!Directory.Exists(_directory))
        {
            throw new DirectoryNotFoundException($"{path} cannot be written: there is no directory {_directory}.");
        }

        // The target's own name may be as long as a name can be.
        _temporary = Path.Combine(_directory, temporary ?? $".mlagen-{Guid.NewGuid():N}.tmp");
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, Share = FileShare.None, BufferSize = 0, PreallocationSize = bytes };
        if (!OperatingSystem.IsWindows() && _replaced.Rights is not null)
        {
            // Who may not read the old file must not read the new one while it is written.
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }

        _stream = new FileStream(_temporary, options);
    }

    /// <summary>The new file, to be written at any offset.</summary>
    public SafeFileHandle Handle => _stream.SafeFileHandle;

    /// <summary>Puts the new file, flushed to the disk, in the place of the old one, with its permissions.</summary>
    public void Commit()
    {
        TakePermissions();
        RandomAccess.FlushToDisk(Handle);
        _stream.Dispose();
        File.Move(_temporary, _target, overwrite: true);
        _committed = true;
        Posix.FlushDirectory(_directory);
    }

    /// <summary>Removes the new file, unless it was committed.</summary>
    public void Dispose()
    {
        _stream.Dispose();
        if (!_committed)
        {
            try
            {
                File.Delete(_temporary);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // It does no harm, and what has failed before is what the caller should hear of.
            }
        }
    }

    private static void Refuse(string path, FileStatus status)
    {
        if (status.Kind is not (FileKind.Regular or FileKind.Missing))
        {
            throw new IOException($"{path} is {status.Describe()}; only regular files are replaced.");
        }
    }

    private void TakePermissions()
    {
        if (OperatingSystem.IsWindows() || _replaced.Rights is not { } rights)
        {
            return;
        }

        // The rights of one group are not another's.
        const UnixFileMode GroupRights = UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.GroupExecute;
        bool isSameGroup = _replaced.Owner is not { } owner || _replaced.Group is not { } group || Posix.Give(Handle, owner, group);
        File.SetUnixFileMode(Handle, isSameGroup ? rights : rights & ~GroupRights);
    }
}
