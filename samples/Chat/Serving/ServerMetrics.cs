using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace Chat.Serving;

/// <summary>What <c>/metrics</c> tells of generating, beside what ASP.NET Core, the runtime and MlaGen tell of themselves. Names follow OpenTelemetry's conventions for generative AI.</summary>
internal sealed class ServerMetrics
{
    public const string MeterName = "MlaGen.Chat";

    private static readonly InstrumentAdvice<double> _seconds = new() { HistogramBucketBoundaries = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200] };

    private readonly UpDownCounter<long> _active;
    private readonly Counter<long> _requests;
    private readonly Counter<long> _tokens;
    private readonly Histogram<double> _firstToken;
    private readonly Histogram<double> _duration;

    public ServerMetrics(IMeterFactory meters)
    {
        Meter meter = meters.Create(MeterName);
        _active = meter.CreateUpDownCounter<long>("chat.server.active_requests", "{request}", "Requests that generate at this moment.");
        _requests = meter.CreateCounter<long>("chat.server.requests", "{request}", "Requests that have ended, by how.");
        _tokens = meter.CreateCounter<long>("gen_ai.server.tokens", "{token}", "Tokens of prompts and of answers.");
        _firstToken = meter.CreateHistogram("gen_ai.server.time_to_first_token", "s", "From a request's arrival to its first token.", advice: _seconds);
        _duration = meter.CreateHistogram("gen_ai.server.request.duration", "s", "From a request's arrival to its end.", advice: _seconds);
    }

    public void Entered() => _active.Add(1);

    public void Left() => _active.Add(-1);

    public void FirstToken(long start) => _firstToken.Record(Stopwatch.GetElapsedTime(start).TotalSeconds);

    public void Ended(long start, string outcome)
    {
        _requests.Add(1, new KeyValuePair<string, object?>("outcome", outcome));
        _duration.Record(Stopwatch.GetElapsedTime(start).TotalSeconds);
    }

    public void Tokens(long prompt, long answer)
    {
        _tokens.Add(prompt, new KeyValuePair<string, object?>("gen_ai.token.type", "input"));
        _tokens.Add(answer, new KeyValuePair<string, object?>("gen_ai.token.type", "output"));
    }
}
