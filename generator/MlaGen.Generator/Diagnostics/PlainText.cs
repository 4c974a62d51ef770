namespace MlaGen.Generator.Diagnostics;

/// <summary>Text of a file in a message. Compilers print messages to terminals, and whoever wrote the file may not move their cursors.</summary>
internal static class PlainText
{
    /// <summary>The text, with escapes for what is not seen but does something: control characters, and changes of direction.</summary>
    public static string Of(string text) => Unprintable.Escape(text);
}
