namespace MlaGen.Models;

/// <summary>As many requests wait as may: try again later.</summary>
public sealed class GeneratorBusyException : Exception
{
    internal GeneratorBusyException(int waiting)
        : base(FormattableString.Invariant($"{waiting} requests are waiting already; no more are taken.")) => Waiting = waiting;

    /// <summary>Requests that wait.</summary>
    public int Waiting { get; }
}
