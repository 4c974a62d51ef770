using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using Samples;

namespace Cluster.Hosting;

/// <summary>A Redis server that this program starts and ends, on this machine alone. It keeps its data in a directory, and goes on with them when it is started there again.</summary>
internal sealed class RedisServer : IDisposable
{
    private const string Program = "redis-server";

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
        Directory.CreateDirectory(directory);
        string[] arguments = ["--bind", "127.0.0.1", "--port", port.ToString(CultureInfo.InvariantCulture), "--dir", directory, "--save", "", "--appendonly", "yes", "--daemonize", "no"];
        RedisServer server;
        try
        {
            Process process = Process.Start(new ProcessStartInfo(Program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
            _ = process.StandardOutput.BaseStream.CopyToAsync(Stream.Null);
            _ = process.StandardError.BaseStream.CopyToAsync(Stream.Null);
            server = new RedisServer(process, port);
        }
        catch (Win32Exception)
        {
            throw new UserException("redis-server is not installed; Debian has it in the package redis-server. --redis HOST:PORT names one that runs, and without --use-redis none is needed");
        }

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
        if (!_process.HasExited)
        {
            _process.Kill();
            _process.WaitForExit();
        }

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
            catch (SocketException) when (!_process.HasExited)
            {
                await Task.Delay(100);
            }
            catch (SocketException)
            {
                break;
            }
        }

        throw new UserException($"redis-server does not listen at {Address}");
    }
}
