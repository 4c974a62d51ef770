using System.Net;

namespace Chat.Serving;

/// <summary>How the server listens, and what it lets clients cost.</summary>
internal sealed record ServeOptions
{
    /// <summary>Where it listens.</summary>
    public IPAddress Address { get; init; } = IPAddress.Loopback;

    /// <summary>The port; 0 for one that is free.</summary>
    public int Port { get; init; } = 8080;

    /// <summary>What clients must present as bearer token; <see langword="null"/> to let everyone in.</summary>
    public string? ApiKey { get; init; }

    /// <summary>Bytes of a request's body, at most.</summary>
    public long MaxBodyBytes { get; init; } = 1 << 20;

    /// <summary>Connections at a time.</summary>
    public int MaxConnections { get; init; } = 1024;

    /// <summary>Requests that generate at a time.</summary>
    public int MaxRequests { get; init; } = 32;

    /// <summary>Those of one client's address, so that something is left for others.</summary>
    public int MaxClientRequests { get; init; } = 24;

    /// <summary>Requests of one client's address that wait for their turn; more are refused.</summary>
    public int MaxWaiting { get; init; } = 256;

    /// <summary>Tokens that a request may ask for, and what it gets if it does not say.</summary>
    public int MaxTokens { get; init; } = 4096;

    /// <summary>For how long a request may wait and generate.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>For how long a stopping server lets what is being generated go on.</summary>
    public TimeSpan Drain { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>For how long a client may take to send the head of a request. A body must come at the rate that Kestrel asks for.</summary>
    public TimeSpan HeadTimeout { get; init; } = TimeSpan.FromSeconds(15);
}
