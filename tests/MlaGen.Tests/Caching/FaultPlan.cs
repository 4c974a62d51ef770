namespace MlaGen.Tests.Caching;

/// <summary>What a <see cref="FaultPlan"/> throws.</summary>
internal sealed class InjectedFaultException : Exception;

/// <summary>Makes one of the things that can run out do so, and counts them.</summary>
internal sealed class FaultPlan
{
    private int _remaining = -1;

    public int Hits { get; private set; }

    public void FailAfter(int hits) => _remaining = hits;

    public void Clear() => _remaining = -1;

    public void Hit()
    {
        Hits++;
        if (_remaining >= 0 && _remaining-- == 0)
        {
            throw new InjectedFaultException();
        }
    }

    /// <summary>
    /// Repeats something, letting each of its fault points fail once, until it goes through; expects <paramref name="unchanged"/> to hold after each failure.
    /// </summary>
    /// <returns>Fault points that failed.</returns>
    public int FailEverywhere(Action action, Action unchanged)
    {
        for (int after = 0; ; after++)
        {
            FailAfter(after);
            Exception? e = Record.Exception(action);
            Clear();
            if (e is null)
            {
                return after;
            }

            Assert.IsType<InjectedFaultException>(e);
            unchanged();
        }
    }
}
