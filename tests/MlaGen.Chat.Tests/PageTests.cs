using MlaGen.Chat.Tests.Infrastructure;
using PuppeteerSharp;

namespace MlaGen.Chat.Tests;

/// <summary>The page in a browser: what is typed is answered, as it comes, and nothing is fetched from anywhere else.</summary>
public sealed class PageTests
{
    private const string Chromium = "chromium";
    private const string ChromiumBrowser = "chromium-browser";
    private const string Chrome = "google-chrome";

    [ProgramFact(Chromium, ChromiumBrowser, Chrome)]
    public async Task Page_streams_a_conversation_and_stops_it()
    {
        await using RunningServer server = await RunningServer.StartAsync();
        await using IBrowser browser = await BrowserAsync();
        await using IPage page = await browser.NewPageAsync();
        List<string> requests = [];
        List<string> problems = [];
        page.Request += (_, request) => requests.Add(request.Request.Url);
        page.PageError += (_, error) => problems.Add(error.Message ?? "");
        page.Console += (_, line) =>
        {
            if (line.Message.Type == ConsoleType.Error)
            {
                problems.Add(line.Message.Text);
            }
        };
        await page.GoToAsync(server.Address.ToString());
        await page.WaitForFunctionAsync($"() => document.querySelector('h1').textContent === '{RunningServer.Model}'");

        // A part of the answer is there while the rest is not made yet.
        TaskCompletionSource gate = new();
        server.Engine.BeforeWord = (word, _) => word == 3 ? gate.Task : Task.CompletedTask;
        await page.TypeAsync("#input", "Hello");
        await page.Keyboard.PressAsync("Enter");
        await RunningServer.UntilAsync(() => server.Engine.Active == 1);
        await AnswerIsAsync(page, Beginning(server, "Hello", 3));
        gate.SetResult();
        string first = Beginning(server, "Hello", WordClient.Words);
        await AnswerIsAsync(page, first);
        Assert.True(await page.EvaluateExpressionAsync<bool>("document.querySelector('#messages b') === null"));

        // The second question goes with the first; it is stopped in the middle.
        server.Engine.BeforeWord = static (word, cancellation) => word == 3 ? Task.Delay(Timeout.Infinite, cancellation) : Task.CompletedTask;
        await page.WaitForFunctionAsync("() => !document.querySelector('#send').hidden");
        await page.TypeAsync("#input", "More");
        await page.ClickAsync("#send");
        await page.WaitForFunctionAsync("() => document.querySelectorAll('.assistant').length === 2 && document.querySelector('.assistant:last-child').textContent.length > 3");
        Assert.Equal([("user", "Hello"), ("assistant", first), ("user", "More")], server.Engine.Last!.Value.Messages.Select(static message => (message.Role.Value, message.Text)));
        await page.ClickAsync("#stop");
        await RunningServer.UntilAsync(() => server.Engine.Active == 0);
        await page.WaitForFunctionAsync("() => document.querySelector('#status').textContent === 'Stopped.'");

        // What the server refuses is told; a new chat begins from nothing.
        await page.EvaluateExpressionAsync("document.querySelector('#tokens').value = 1000000");
        await page.TypeAsync("#input", "Again");
        await page.Keyboard.PressAsync("Enter");
        await page.WaitForFunctionAsync("() => document.querySelector('#status').textContent.includes('max_tokens')");
        await page.ClickAsync("#new");
        Assert.Equal(0, await page.EvaluateExpressionAsync<int>("document.querySelectorAll('#messages *').length"));

        Assert.All(requests, url => Assert.StartsWith(server.Address.ToString(), url, StringComparison.Ordinal));

        // The browser itself notes the one answer that was an error, and that this site has no icon.
        Assert.All(problems, static problem => Assert.Matches("status of 40[04]", problem));
    }

    [ProgramFact(Chromium, ChromiumBrowser, Chrome)]
    public async Task Page_asks_for_the_key()
    {
        await using RunningServer server = await RunningServer.StartAsync(new() { ApiKey = "secret" });
        await using IBrowser browser = await BrowserAsync();
        await using IPage page = await browser.NewPageAsync();
        await page.GoToAsync(server.Address.ToString());
        await page.WaitForFunctionAsync("() => !document.querySelector('#key-label').hidden");
        await page.TypeAsync("#key", "secret");
        await page.Keyboard.PressAsync("Tab");
        await page.WaitForFunctionAsync($"() => document.querySelector('h1').textContent === '{RunningServer.Model}'");
    }

    private static Task<IBrowser> BrowserAsync() => Puppeteer.LaunchAsync(new LaunchOptions
    {
        Headless = true,
        ExecutablePath = ProgramFactAttribute.PathOf(Chromium, ChromiumBrowser, Chrome),

        // Containers have neither the rights for a sandbox nor much shared memory.
        Args = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"],
    });

    /// <summary>The first words of the answer to the first message; the page draws a seed, so that it is asked of the engine.</summary>
    private static string Beginning(RunningServer server, string question, int words) => RunningServer.AnswerTo(question, server.Engine.Last!.Value.Options.Seed, words);

    private static async Task AnswerIsAsync(IPage page, string text) =>
        await page.WaitForFunctionAsync("text => document.querySelector('.assistant:last-child')?.textContent === text", text);
}
