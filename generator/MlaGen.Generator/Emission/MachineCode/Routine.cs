using MlaGen.Generator.Model;

namespace MlaGen.Generator.Emission.MachineCode;

/// <summary>An assembled routine: its bytes in lines of one instruction each. Entered by System V's convention at its first byte.</summary>
/// <param name="Lines">Every byte, in order.</param>
/// <param name="WindowsEntry">Where it is entered by Windows' convention.</param>
internal sealed record Routine(EquatableArray<RoutineLine> Lines, int WindowsEntry)
{
    public byte[] Bytes => [.. Lines.SelectMany(static line => line.Bytes)];
}

/// <summary>An instruction, or some bytes of a constant.</summary>
/// <param name="Label">What is jumped to it by, or null.</param>
/// <param name="Bytes">Its bytes.</param>
/// <param name="Text">What it is, in words.</param>
/// <param name="IsData">Whether it is a constant's.</param>
internal sealed record RoutineLine(string? Label, EquatableArray<byte> Bytes, string Text, bool IsData);
