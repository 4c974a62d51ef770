using System.Diagnostics;
using System.Text.Json;
using MlaGen.Chat.Tests.Infrastructure;

namespace MlaGen.Chat.Tests;

/// <summary>The server as a shell sees it.</summary>
public sealed class CurlTests
{
    [ProgramFact("curl")]
    public async Task Stream_comes_as_lines()
    {
        await using RunningServer server = await RunningServer.StartAsync();
        using Process curl = Process.Start(new ProcessStartInfo(
            "curl",
            ["-sSN", "--max-time", "30", "-H", "Content-Type: application/json", "-d", RunningServer.Question("Hello", """, "stream": true"""), $"{server.Address}v1/chat/completions"])
        { RedirectStandardOutput = true })!;
        string[] lines = (await curl.StandardOutput.ReadToEndAsync()).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        await curl.WaitForExitAsync();

        Assert.Equal(0, curl.ExitCode);
        Assert.Equal("data: [DONE]", lines[^1]);
        Assert.Equal(
            RunningServer.AnswerTo("Hello"),
            string.Concat(lines[..^1].Select(static line => JsonDocument.Parse(line["data: ".Length..]).RootElement.GetProperty("choices")[0].GetProperty("delta"))
                .Select(static delta => delta.TryGetProperty("content", out JsonElement text) ? text.GetString() : "")));
    }
}
