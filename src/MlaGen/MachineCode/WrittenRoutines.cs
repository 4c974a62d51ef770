namespace MlaGen.Runtime;

/// <summary>The routines of one core, written to executable memory when they are first asked for.</summary>
internal sealed class WrittenRoutines
{
    private readonly Lock _writing = new();
    private volatile nint[]? _addresses;

    /// <summary>Where a routine is called.</summary>
    public nint this[int index] => _addresses![index];

    /// <summary>A routine's bytes, and where it is entered.</summary>
    public static (byte[] Code, int Entry) Copy(MachineRoutine routine) => (routine.Code.ToArray(), routine.Entry);

    /// <summary>Writes them, unless they are there.</summary>
    /// <param name="core">Whose they are.</param>
    /// <param name="routines">Gives them.</param>
    /// <returns>Why the system refuses, or null if they are there.</returns>
    public string? TryWrite<T>(T core, Func<T, (byte[] Code, int Entry)[]> routines)
    {
        if (_addresses is not null)
        {
            return null;
        }

        using (Uninterrupted.Hold(_writing))
        {
            if (_addresses is not null)
            {
                return null;
            }

            (byte[] Code, int Entry)[] all = routines(core);
            nint[] addresses = new nint[all.Length];
            if (ExecutableMemory.TryWrite(Array.ConvertAll(all, static routine => routine.Code), addresses) is { } refusal)
            {
                return refusal;
            }

            for (int i = 0; i < all.Length; i++)
            {
                addresses[i] += all[i].Entry;
            }

            _addresses = addresses;
            return null;
        }
    }
}
