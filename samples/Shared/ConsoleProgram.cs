using System.Text;

namespace Samples;

/// <summary>A program between its command line and its standard streams. Its exit codes: 0 when all went well, 2 when the user has to change something.</summary>
internal static class ConsoleProgram
{
    public const int UserError = 2;

    /// <summary>Runs on the streams of the process, in UTF-8 whatever the console's code page is: what is in a file is the same everywhere.</summary>
    public static int Run(Func<TextWriter, TextWriter, int> program)
    {
        UTF8Encoding encoding = new(encoderShouldEmitUTF8Identifier: false);

        // Not disposed: that would write once more what could not be written.
        StreamWriter output = new(Console.OpenStandardOutput(), encoding) { AutoFlush = true };
        StreamWriter error = new(Console.OpenStandardError(), encoding) { AutoFlush = true };
        return program(output, error);
    }

    /// <summary>Runs on streams that are kept plain; tells in one line if the output cannot be written.</summary>
    /// <param name="name">The program's name.</param>
    /// <param name="output">Standard output.</param>
    /// <param name="error">Standard error.</param>
    /// <param name="program">Returns the exit code.</param>
    public static int Run(string name, TextWriter output, TextWriter error, Func<PlainWriter, PlainWriter, int> program)
    {
        PlainWriter plainError = new(error, mayFail: true);
        try
        {
            PlainWriter plainOutput = new(output);
            int exitCode = program(plainOutput, plainError);
            plainOutput.Flush();
            return exitCode;
        }
        catch (OutputException problem)
        {
            return Fail(name, plainError, problem.Message);
        }
        finally
        {
            plainError.Flush();
        }
    }

    /// <summary>Tells a problem in one line.</summary>
    /// <returns>The exit code.</returns>
    public static int Fail(string name, PlainWriter error, string message)
    {
        error.WriteLine($"{name}: {PlainText.Line(message)}");
        return UserError;
    }
}
