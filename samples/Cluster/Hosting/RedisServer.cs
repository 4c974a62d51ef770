using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using Samples;

namespace Cluster.Hosting;

/// <summary>A Redis server that this program starts and ends, on this machine alone. It keeps its data in a directory, and goes on with them when it is started there again.</summary>
internal sealed class RedisServer : IDisposable
{
    private const string Program = "redis-server";

    /// <summary>Runs a program that ends with the input, and so with whoever has started it, even where that one is killed.</summary>
    private const string EndsWithInput = "\"$@\" & read _; kill $!; wait";

    private readonly Process _process;

    private RedisServer(Process process, int port)
    {
        _process = process;
        Port = port;
    }

    /// <summary>Whether there is such a program.</summary>
    public static bool IsInstalled => (Environment.GetEnvironmentVariable("PATH") ?? string.Empty).Split(Path.PathSeparator).Any(static folder => File.Exists(Path.Combine(folder, Program)));

    public int Port { get; }

    public string Address => string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{Port}");

    /// <exception cref="UserException">There is no such program, or it has not begun to listen.</exception>
    public static async Task<RedisServer> StartAsync(string directory, int port)
    {
        if (!IsInstalled)
        {
            throw new UserException("redis-server is not installed; Debian has it in the package redis-server. --redis HOST:PORT names one that runs, and without --use-redis none is needed");
        }

        Directory.CreateDirectory(directory);
        string[] arguments = ["--bind", "127.0.0.1", "--port", port.ToString(CultureInfo.InvariantCulture), "--dir", directory, "--save", "", "--appendonly", "yes", "--daemonize", "no"];
        Process process = Process.Start(new ProcessStartInfo("sh", ["-c", EndsWithInput, "sh", Program, .. arguments]) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true })!;
        _ = process.StandardOutput.BaseStream.CopyToAsync(Stream.Null);
        _ = process.StandardError.BaseStream.CopyToAsync(Stream.Null);
        RedisServer server = new(process, port);
        try
        {
            await server.WaitAsync();
            return server;
        }
        catch
        {
            server.Dispose();
            throw;
        }
    }

    public void Dispose()
    {
        _process.StandardInput.Close();
        _process.WaitForExit();
        _process.Dispose();
    }

    private async Task WaitAsync()
    {
        for (int attempt = 0; attempt < 100; attempt++)
        {
            try
            {
                using TcpClient client = new();
                await client.ConnectAsync("127.0.0.1", Port);
                return;
            }
            catch (SocketException)
            {
                await Task.Delay(100);
            }
        }

        throw new UserException($"redis-server does not listen at {Address}");
    }
}
