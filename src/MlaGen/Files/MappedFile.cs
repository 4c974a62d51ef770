using System.IO.MemoryMappedFiles;
using Microsoft.Win32.SafeHandles;

namespace MlaGen.Runtime;

/// <summary>A file as memory, to be read. It is unmapped once nobody refers to it any more.</summary>
/// <remarks>To shorten the file in place ends the process when it reads what is gone; to put another in its place does no harm.</remarks>
internal sealed class MappedFile
{
    private readonly MemoryMappedViewAccessor _view;

    private MappedFile(MemoryMappedViewAccessor view) => _view = view;

    /// <summary>The first byte.</summary>
    public nint Start => _view.SafeMemoryMappedViewHandle.DangerousGetHandle();

    /// <summary>Maps a file that is so long; it need not stay open.</summary>
    public static MappedFile Of(SafeFileHandle file, long length)
    {
        using MemoryMappedFile map = MemoryMappedFile.CreateFromFile(file, mapName: null, capacity: 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: true);
        return new MappedFile(map.CreateViewAccessor(0, length, MemoryMappedFileAccess.Read));
    }
}
