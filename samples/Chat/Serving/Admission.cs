using System.Net;
using System.Net.Sockets;
using System.Threading.RateLimiting;
using Microsoft.Extensions.Options;

namespace Chat.Serving;

/// <summary>
/// Lets so many requests generate at a time, and so many of one client's address; others wait in the order in which they came, the rest is refused. A request
/// enters once its body is read: who sends slowly keeps nobody waiting.
/// </summary>
internal sealed class Admission : IDisposable
{
    private readonly PartitionedRateLimiter<string> _limiter;
    private readonly IHostApplicationLifetime _lifetime;

    public Admission(IOptions<ServeOptions> options, IHostApplicationLifetime lifetime)
    {
        ServeOptions limits = options.Value;
        _lifetime = lifetime;

        // First the client's own queue, then that of everyone: there, a client never has more waiting than it may have running.
        _limiter = PartitionedRateLimiter.CreateChained(
            PartitionedRateLimiter.Create<string, string>(client => RateLimitPartition.GetConcurrencyLimiter(client, _ => Limit(limits.MaxClientRequests, limits.MaxWaiting))),
            PartitionedRateLimiter.Create<string, string>(_ => RateLimitPartition.GetConcurrencyLimiter("", _ => Limit(limits.MaxRequests, limits.MaxWaiting))));
    }

    /// <summary>Waits for a request's turn.</summary>
    /// <returns>Disposing it ends the turn.</returns>
    /// <exception cref="ApiException">Too many wait, or the server stops.</exception>
    public async Task<IDisposable> EnterAsync(HttpContext http, CancellationToken cancellation)
    {
        using CancellationTokenSource either = CancellationTokenSource.CreateLinkedTokenSource(cancellation, _lifetime.ApplicationStopping);
        try
        {
            RateLimitLease lease = await _limiter.AcquireAsync(ClientOf(http.Connection.RemoteIpAddress), 1, either.Token);
            if (lease.IsAcquired)
            {
                return lease;
            }

            lease.Dispose();
            throw ApiException.Busy();
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            throw ApiException.Stopping();
        }
    }

    public void Dispose() => _limiter.Dispose();

    private static ConcurrencyLimiterOptions Limit(int running, int waiting) => new() { PermitLimit = running, QueueLimit = waiting, QueueProcessingOrder = QueueProcessingOrder.OldestFirst };

    /// <summary>An address; of IPv6 the first half, since whoever has one has a network of them.</summary>
    private static string ClientOf(IPAddress? address)
    {
        if (address is null or { AddressFamily: not AddressFamily.InterNetworkV6 } or { IsIPv4MappedToIPv6: true })
        {
            return address?.MapToIPv4().ToString() ?? "";
        }

        byte[] bytes = address.GetAddressBytes();
        bytes.AsSpan(8).Clear();
        return new IPAddress(bytes).ToString();
    }
}
