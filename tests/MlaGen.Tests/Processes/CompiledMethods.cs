using System.Collections.Concurrent;
using System.Diagnostics.Tracing;

namespace MlaGen.Tests.Processes;

/// <summary>What the JIT compiles in this process from here on, in order, as the runtime's events tell it.</summary>
internal sealed class CompiledMethods : EventListener
{
    private const string Runtime = "Microsoft-Windows-DotNETRuntime";
    private const EventKeywords Jit = (EventKeywords)0x10;

    private readonly ConcurrentQueue<string> _names = new();

    /// <summary>Full names of the methods so far; events arrive a little later than what they tell.</summary>
    public IReadOnlyList<string> Names => [.. _names];

    protected override void OnEventSourceCreated(EventSource eventSource)
    {
        if (eventSource.Name == Runtime)
        {
            EnableEvents(eventSource, EventLevel.Verbose, Jit);
        }
    }

    protected override void OnEventWritten(EventWrittenEventArgs eventData)
    {
        if (eventData.EventName?.StartsWith("MethodLoadVerbose", StringComparison.Ordinal) == true)
        {
            _names.Enqueue($"{Payload("MethodNamespace")}.{Payload("MethodName")}");
        }

        object? Payload(string name) => eventData.Payload![eventData.PayloadNames!.IndexOf(name)];
    }
}
