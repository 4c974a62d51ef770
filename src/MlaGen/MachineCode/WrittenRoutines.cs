namespace MlaGen.Runtime;

/// <summary>The routines of one core, written to executable memory when they are first asked for.</summary>
internal sealed class WrittenRoutines
{
    private readonly Lock _writing = new();
    private volatile nint[]? _addresses;

    /// <summary>Where a routine is called.</summary>
    public nint this[int index] => _addresses![index];

    /// <summary>Writes them, unless they are there.</summary>
    /// <param name="routines">Gives their bytes, and where each is entered.</param>
    /// <returns>Why the system refuses, or null if they are there.</returns>
    public string? TryWrite(Func<(byte[] Code, int Entry)[]> routines)
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

            (byte[] Code, int Entry)[] all = routines();
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
