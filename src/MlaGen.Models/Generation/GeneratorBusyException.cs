namespace MlaGen.Models;

/// <summary>As many requests wait as may: try again later.</summary>
public sealed class GeneratorBusyException : Exception
{
    internal GeneratorBusyException(int waiting)
        : base(FormattableString.Invariant($"As many requests wait as may, {waiting}: no more are taken.")) => Waiting = waiting;

    /// <summary>Requests that wait.</summary>
    public int Waiting { get; }
}
