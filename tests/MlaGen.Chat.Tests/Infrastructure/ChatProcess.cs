using System.Diagnostics;

namespace MlaGen.Chat.Tests.Infrastructure;

/// <summary>The program as a shell starts it.</summary>
internal static class ChatProcess
{
    /// <summary>Starts it.</summary>
    public static Process Start(params IEnumerable<string> arguments) => Process.Start(new ProcessStartInfo(
        Path.Combine(AppContext.BaseDirectory, OperatingSystem.IsWindows() ? "Chat.exe" : "Chat"), arguments)
    {
        RedirectStandardInput = true,
        RedirectStandardOutput = true,
        RedirectStandardError = true,
    })!;

    /// <summary>Lets it answer lines until they end.</summary>
    public static async Task<(int Code, string Output, string Error)> RunAsync(string[] arguments, params IEnumerable<string> lines)
    {
        using Process process = Start(arguments);
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        Task<string> error = process.StandardError.ReadToEndAsync();
        try
        {
            foreach (string line in lines)
            {
                await process.StandardInput.WriteLineAsync(line);
            }

            process.StandardInput.Close();
        }
        catch (IOException)
        {
            // It has ended already, and says why.
        }

        await process.WaitForExitAsync().WaitAsync(TimeSpan.FromMinutes(2));
        return (process.ExitCode, await output, await error);
    }
}
