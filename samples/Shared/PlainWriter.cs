using System.Text;

namespace Samples;

/// <summary>Standard output or error: passes text on as <see cref="PlainText"/>, with its line breaks and tabs. Nothing is held back.</summary>
/// <param name="writer">Where the text goes.</param>
/// <param name="mayFail">Nobody is told when it cannot be written: for standard error, where that would have to be told.</param>
internal sealed class PlainWriter(TextWriter writer, bool mayFail = false) : TextWriter
{
    private bool _isClosed;

    public override Encoding Encoding => writer.Encoding;

    /// <summary>Whether the next character begins a line.</summary>
    public bool IsAtLineStart { get; private set; } = true;

    public override void Write(char value) => Write([value]);

    public override void Write(char[] buffer, int index, int count) => Write(buffer.AsSpan(index, count));

    public override void Write(string? value) => Write(value.AsSpan());

    public override void Write(ReadOnlySpan<char> buffer)
    {
        char[] plain = new char[buffer.Length];
        for (int i = 0; i < buffer.Length; i++)
        {
            // A carriage return alone would write over the line.
            bool breaksLine = buffer[i] == '\n' || (buffer[i] == '\r' && i + 1 < buffer.Length && buffer[i + 1] == '\n');
            plain[i] = breaksLine || buffer[i] == '\t' ? buffer[i] : PlainText.Visible(buffer[i]);
        }

        if (plain.Length > 0)
        {
            IsAtLineStart = plain[^1] == '\n';
            Try(() => writer.Write(plain));
        }
    }

    public override void WriteLine()
    {
        IsAtLineStart = true;
        Try(writer.WriteLine);
    }

    public override void WriteLine(string? value)
    {
        Write(value);
        WriteLine();
    }

    public override void Flush() => Try(writer.Flush);

    private void Try(Action write)
    {
        if (_isClosed)
        {
            return;
        }

        try
        {
            write();
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException or ObjectDisposedException)
        {
            _isClosed = true;

            // Who closes the other end of a pipe, as head does, has read enough.
            if (!mayFail && !IsClosedPipe(problem))
            {
                throw new OutputException($"standard output cannot be written ({problem.Message.TrimEnd('.')}); let it be a terminal, a file with room, or a program that reads it");
            }
        }
    }

    private static bool IsClosedPipe(Exception problem)
    {
        const int Pipe = 32;
        const int WindowsBrokenPipe = unchecked((int)0x8007006D);
        const int WindowsNoData = unchecked((int)0x800700E8);
        return problem.HResult is WindowsBrokenPipe or WindowsNoData || (problem.HResult == Pipe && !OperatingSystem.IsWindows());
    }
}

/// <summary>What a program says has nowhere to go.</summary>
internal sealed class OutputException(string message) : Exception(message);
