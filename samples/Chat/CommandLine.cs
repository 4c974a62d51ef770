using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using System.CommandLine.Parsing;
using System.Net;
using Chat.Engine;
using Chat.Serving;
using Chat.Terminal;
using Microsoft.Extensions.AI;
using MlaGen;
using MlaGen.Models;
using Samples;
using Spectre.Console;
using static Samples.CommandOptions;

namespace Chat;

/// <summary>The program's commands and options.</summary>
internal static class CommandLine
{
    private const string Name = "chat";
    private const string KeyVariable = "CHAT_API_KEY";

    private static readonly ServeOptions _defaults = new();

    private static readonly Option<string?> Model = new("--model")
    {
        Description = "Directory of a checkpoint: config.json, tokenizer.json and safetensors. Default: the story model that comes with the program.",
        HelpName = "DIR",
        Recursive = true,
    };

    private static readonly Option<int> Threads = Recursive(Number("--threads", "Threads to compute on.", 1, 1024, _ => Environment.ProcessorCount));

    private static readonly Option<WeightFormat> Weights = Recursive(Choice("--weights", "How weights are kept in memory", WeightFormat.Stored, "FORMAT"));
    private static readonly Option<bool> KeepWeights = new("--keep-weights")
    {
        Description = "Keeps the packed weights in a file in the model's directory, as long as all of them, which the next start maps instead of loading. The file of another --weights, or of a changed checkpoint, is made again.",
        Recursive = true,
    };

    private static readonly Option<CacheFormat> Cache = Recursive(Choice("--cache", "How the cache keeps a token", CacheFormat.Float32, "FORMAT"));
    private static readonly Option<int> CacheTokens = Recursive(Number("--cache-tokens", "Tokens of all conversations together that the cache has room for.", 1, int.MaxValue, _ => 65536));

    private static readonly Option<int> Speculate = Recursive(Number("--speculate", "Candidates for coming tokens that a step verifies, taken from how the text went on before; 0 for none. The same text, sooner where it quotes or repeats.", 0, 4096, _ => 0));

    private static readonly Option<string?> System = new("--system") { Description = "What the model is told before anything is said.", HelpName = "TEXT" };
    private static readonly Option<double> Temperature = Number("--temperature", "0 takes the most likely token, more lets chance in.", 0.0, 2.0, _ => 0.8, "X");
    private static readonly Option<double> TopP = Number("--top-p", "Only the most likely tokens that together have this probability.", 0.0, 1.0, _ => 1.0, "X");
    private static readonly Option<long> Seed = Number("--seed", "Start of the random choices; the same seed gives the same answers. By chance if not given.", 0L, int.MaxValue, null);
    private static readonly Option<int> AnswerTokens = Number("--max-tokens", "Tokens of an answer at most.", 1, int.MaxValue, _ => 512);

    private static readonly Option<IPAddress> Listen = new("--listen")
    {
        Description = "Address to listen on; anything but loopback lets other machines in.",
        HelpName = "ADDRESS",
        DefaultValueFactory = _ => _defaults.Address,
        CustomParser = Address,
    };

    private static readonly Option<int> Port = Number("--port", "Port to listen on; 0 for one that is free.", 0, 65535, _ => _defaults.Port);
    private static readonly Option<string?> ApiKeyFile = new("--api-key-file") { Description = $"File whose one line is the key that clients must send. Default: the variable {KeyVariable}, if it is set.", HelpName = "FILE" };
    private static readonly Option<int> MaxRequests = Number("--requests", "Requests that generate at a time.", 1, 4096, _ => _defaults.MaxRequests);
    private static readonly Option<int> MaxClientRequests = Number("--client-requests", "Those of one client's address. Default: three quarters of --requests.", 1, 4096, null);
    private static readonly Option<int> MaxWaiting = Number("--waiting", "Requests of one client's address that wait for their turn; more are refused.", 0, 65536, _ => _defaults.MaxWaiting);
    private static readonly Option<int> MaxTokens = Number("--max-tokens", "Tokens that a request may ask for.", 1, int.MaxValue, _ => _defaults.MaxTokens);
    private static readonly Option<int> MaxBody = Number("--body", "KiB that a request's body may have.", 1, 1 << 20, _ => (int)(_defaults.MaxBodyBytes >> 10));
    private static readonly Option<double> Timeout = Number("--timeout", "Seconds that a request may wait and generate.", 0.1, 86400.0, _ => _defaults.Timeout.TotalSeconds, "SECONDS");

    public static int Run(string[] arguments, TextWriter output, TextWriter error) =>
        ConsoleProgram.Run(Name, output, error, (plainOutput, plainError) => Run(arguments, plainOutput, plainError));

    private static int Run(string[] arguments, PlainWriter output, PlainWriter error)
    {
        Command serve = new("serve", "Answers over HTTP, by OpenAI's interface, and with a page to talk to the model.")
        {
            Listen, Port, ApiKeyFile, MaxRequests, MaxClientRequests, MaxWaiting, MaxTokens, MaxBody, Timeout,
        };
        serve.SetAction(parsed => Execute(output, error, () => Serve(parsed, error)));

        Command chat = new("chat", "Talks to the model in this terminal. This is what happens without a command.") { System, Temperature, TopP, Seed, AnswerTokens };
        chat.SetAction(parsed => Execute(output, error, () => Talk(parsed, output, error)));

        RootCommand command = new("Talks to a model whose attention was generated by MlaGen, here or over HTTP.") { Model, Threads, Weights, KeepWeights, Cache, CacheTokens, Speculate, serve, chat };

        // An option's value is taken as it is, also when it begins with '@' (a response file) or looks like bundled options.
        ParserConfiguration configuration = new() { ResponseFileTokenReplacer = null, EnablePosixBundling = false };
        ParseResult result = command.Parse(arguments, configuration);
        if (result.CommandResult.Command == command && result.Action is null or ParseErrorAction)
        {
            result = command.Parse(["chat", .. arguments], configuration);
        }

        return result.Errors.Count > 0 && result.Action is not HelpAction
            ? ConsoleProgram.Fail(Name, error, result.UnmatchedTokens is [{ } token, ..] ? $"'{token}' is no option; --help lists all options" : result.Errors[0].Message)
            : result.Invoke(new InvocationConfiguration { Output = output, Error = error, EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null });
    }

    private static int Execute(PlainWriter output, PlainWriter error, Func<Task> action)
    {
        try
        {
            action().GetAwaiter().GetResult();
            return 0;
        }
        catch (Exception problem) when (EngineSource.IsUserError(problem) || problem is UserException or IOException or UnauthorizedAccessException)
        {
            if (!output.IsAtLineStart)
            {
                output.WriteLine();
            }

            // A configuration that fits no class comes with the lines that would add one.
            string[] lines = problem is ModelConfigException ? problem.Message.Split('\n') : [problem.Message];
            int code = ConsoleProgram.Fail(Name, error, lines[0]);
            foreach (string line in lines[1..])
            {
                error.WriteLine(PlainText.Line(line));
            }

            return code;
        }
    }

    private static async Task Serve(ParseResult parsed, PlainWriter error)
    {
        int requests = parsed.GetValue(MaxRequests);
        ServeOptions options = new()
        {
            Address = parsed.GetValue(Listen)!,
            Port = parsed.GetValue(Port),
            ApiKey = ApiKey(parsed.GetValue(ApiKeyFile)),
            MaxRequests = requests,
            MaxClientRequests = parsed.GetResult(MaxClientRequests) is null ? Math.Max(1, requests - (requests / 4)) : parsed.GetValue(MaxClientRequests),
            MaxWaiting = parsed.GetValue(MaxWaiting),
            MaxTokens = parsed.GetValue(MaxTokens),
            MaxBodyBytes = (long)parsed.GetValue(MaxBody) << 10,
            Timeout = TimeSpan.FromSeconds(parsed.GetValue(Timeout)),
        };
        using LoadedEngine engine = EngineSource.Load(parsed.GetValue(Model), Settings(parsed, requests), error);
        await using WebApplication server = ChatServer.Create(engine, options);
        await server.StartAsync();
        error.WriteLine($"{engine.Model}: {ChatServer.AddressOf(server)} (Ctrl+C ends)");
        if (options.ApiKey is null && !IPAddress.IsLoopback(options.Address))
        {
            error.WriteLine($"Everyone who reaches {options.Address} may use it: there is no API key.");
        }

        await server.WaitForShutdownAsync();
    }

    private static async Task Talk(ParseResult parsed, PlainWriter output, PlainWriter error)
    {
        ChatOptions options = new()
        {
            Temperature = (float)parsed.GetValue(Temperature),
            TopP = (float)parsed.GetValue(TopP),
            Seed = parsed.GetResult(Seed) is null ? Random.Shared.Next() : parsed.GetValue(Seed),
            MaxOutputTokens = parsed.GetValue(AnswerTokens),
        };
        using LoadedEngine engine = EngineSource.Load(parsed.GetValue(Model), Settings(parsed, 1), error);
        bool isInteractive = !Console.IsInputRedirected && !Console.IsOutputRedirected;
        SpectreTerminal terminal = new(Console.In, output, error, AnsiConsole.Console, isInteractive);
        Conversation conversation = new(engine.Client, engine.Model, options, parsed.GetValue(System), terminal);

        // Ends the answer; where there is none, the program.
        void Interrupt(object? sender, ConsoleCancelEventArgs pressed) => pressed.Cancel = conversation.Interrupt();
        Console.CancelKeyPress += Interrupt;
        try
        {
            await conversation.RunAsync();
        }
        finally
        {
            Console.CancelKeyPress -= Interrupt;
        }
    }

    /// <summary>The key is not an option's value: those can be read by every user of the machine.</summary>
    private static string? ApiKey(string? file)
    {
        if (file is null)
        {
            return Environment.GetEnvironmentVariable(KeyVariable) is { Length: > 0 } key ? key : null;
        }

        NamedFiles.CheckReadable(ApiKeyFile.Name, file);
        return File.ReadLines(file).FirstOrDefault()?.Trim() is { Length: > 0 } line ? line : throw new UserException($"{ApiKeyFile.Name}: the first line of {file} is empty");
    }

    private static IPAddress Address(ArgumentResult argument)
    {
        string text = argument.Tokens[0].Value;
        if (text == "localhost")
        {
            return IPAddress.Loopback;
        }

        if (IPAddress.TryParse(text, out IPAddress? address))
        {
            return address;
        }

        argument.AddError($"--listen takes an IP address, not '{text}'");
        return IPAddress.Loopback;
    }

    private static EngineSettings Settings(ParseResult parsed, int requests) =>
        new(parsed.GetValue(Threads), parsed.GetValue(Weights), parsed.GetValue(Cache), parsed.GetValue(CacheTokens), requests, parsed.GetValue(Speculate), parsed.GetValue(KeepWeights));

    private static Option<T> Recursive<T>(Option<T> option)
    {
        option.Recursive = true;
        return option;
    }
}
