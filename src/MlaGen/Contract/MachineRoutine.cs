using System.ComponentModel;

namespace MlaGen.Runtime;

/// <summary>Machine code of a routine that takes the address of its arguments: System V's entry is its first byte.</summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public readonly ref struct MachineRoutine
{
    /// <summary>Describes a routine.</summary>
    /// <param name="code">Its bytes, which may lie anywhere.</param>
    /// <param name="windowsEntry">Where it is entered by Windows' convention.</param>
    public MachineRoutine(ReadOnlySpan<byte> code, int windowsEntry)
    {
        Code = code;
        WindowsEntry = windowsEntry;
    }

    /// <summary>Its bytes.</summary>
    internal ReadOnlySpan<byte> Code { get; }

    /// <summary>Where it is entered by Windows' convention.</summary>
    internal int WindowsEntry { get; }

    /// <summary>Where it is entered on this system.</summary>
    internal int Entry => OperatingSystem.IsWindows() ? WindowsEntry : 0;
}
