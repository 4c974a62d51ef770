namespace MlaGen.Runtime;

/// <summary>
/// The agreement between emitted code and runtime: everything in this folder. It is raised by whoever changes the meaning of a member here; an
/// assembly whose code was emitted under another number is refused before it computes anything.
/// </summary>
/// <remarks>Compiled into the generator as well: what it emits carries the number that it was built with.</remarks>
internal static class MlaContract
{
    public const int Number = 5;
}
