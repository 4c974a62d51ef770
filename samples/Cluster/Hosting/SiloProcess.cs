using System.Diagnostics;
using System.Text.Json;
using Microsoft.Extensions.Hosting;
using Samples;

namespace Cluster.Hosting;

/// <summary>A silo in a process of its own, from the side of who starts it: it is told its options on standard input, says when it is ready, and ends with that input.</summary>
internal sealed class SiloProcess : IDisposable
{
    /// <summary>What a silo prints once it is a member.</summary>
    public const string Ready = "ready";

    private readonly Process _process;

    private SiloProcess(Process process, SiloOptions options)
    {
        _process = process;
        Options = options;
    }

    public SiloOptions Options { get; }

    public int Id => _process.Id;

    public Task WaitForEndAsync(CancellationToken cancellation) => _process.WaitForExitAsync(cancellation);

    /// <summary>Starts one and waits until it is a member.</summary>
    /// <param name="options">What it is told.</param>
    /// <param name="prefix">What stands before the program, such as <c>ip netns exec NAME</c>; none for nothing.</param>
    /// <param name="cancellation">Ends it before that.</param>
    /// <exception cref="UserException">It ended before that.</exception>
    public static async Task<SiloProcess> StartAsync(SiloOptions options, string[] prefix, CancellationToken cancellation)
    {
        string program = Path.Combine(AppContext.BaseDirectory, "Cluster.dll");
        string[] command = [.. prefix, Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet", program, CommandLine.Silo];
        ProcessStartInfo start = new(command[0], command[1..]) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        Process process = Process.Start(start)!;
        SiloProcess silo = new(process, options);
        try
        {
            await process.StandardInput.WriteLineAsync(JsonSerializer.Serialize(options).AsMemory(), cancellation);
            await process.StandardInput.FlushAsync(cancellation);
            if (await process.StandardOutput.ReadLineAsync(cancellation) != Ready)
            {
                throw new UserException($"silo {options.Name} has not become a member: {PlainText.Line(await process.StandardError.ReadToEndAsync(cancellation))}");
            }

            // Nobody reads what it says from here on, and it must not wait for that.
            _ = process.StandardError.BaseStream.CopyToAsync(Stream.Null, CancellationToken.None);
            return silo;
        }
        catch
        {
            silo.Dispose();
            throw;
        }
    }

    /// <summary>Ends it at once.</summary>
    public void Dispose()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
            _process.WaitForExit();
        }

        _process.Dispose();
    }

    /// <summary>What the process itself runs.</summary>
    public static async Task<int> RunAsync(TextReader input, TextWriter output)
    {
        SiloOptions options = JsonSerializer.Deserialize<SiloOptions>(await input.ReadLineAsync() ?? throw new UserException("a silo is started by the program itself, which tells it its options"))!;
        new Thread(() => EndWith(input)) { IsBackground = true }.Start();
        using var host = SiloHost.Create(options, holdsSegments: true);
        await host.StartAsync();
        await output.WriteLineAsync(Ready);
        await host.WaitForShutdownAsync();
        return 0;
    }

    /// <summary>Whoever has started a silo may be killed, even before it is a member; then it has nobody to serve, and nobody who would take its leave.</summary>
    private static void EndWith(TextReader input)
    {
        input.ReadToEnd();
        using var self = Process.GetCurrentProcess();
        self.Kill();
    }
}
