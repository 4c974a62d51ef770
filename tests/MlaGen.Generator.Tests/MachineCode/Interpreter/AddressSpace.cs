namespace MlaGen.Tests.MachineCode.Interpreter;

/// <summary>Memory that is named regions and nothing between them: an access that is not wholly within one is an error that says how far it is off.</summary>
internal sealed class AddressSpace
{
    private const ulong FirstStart = 0x1000_0000;

    /// <summary>Between regions, so that what runs out of one runs into none.</summary>
    private const ulong Gap = 0x10_0000;

    /// <summary>Where a region begins: as allocations do, and not by chance at more.</summary>
    private const ulong Alignment = 64;

    private readonly List<Region> _regions = [];
    private ulong _next = FirstStart;

    /// <summary>Adds a region that lies apart from all others.</summary>
    /// <returns>Its address.</returns>
    public ulong Add(string name, byte[] bytes, bool isReadOnly)
    {
        ulong start = _next;
        Add(name, start, bytes, isReadOnly);
        _next = (start + (ulong)bytes.Length + Gap + Alignment) / Alignment * Alignment;
        return start;
    }

    /// <summary>Adds a region at an address.</summary>
    public void Add(string name, ulong start, byte[] bytes, bool isReadOnly) => _regions.Add(new Region(name, start, bytes, isReadOnly));

    /// <summary>Bytes to read.</summary>
    public ReadOnlySpan<byte> Read(ulong address, int bytes) => Find(address, bytes, "read", out _);

    /// <summary>Bytes to write.</summary>
    public Span<byte> Write(ulong address, int bytes)
    {
        Span<byte> found = Find(address, bytes, "written", out Region region);
        return region.IsReadOnly ? throw new InvalidOperationException($"{region.Name} is written to.") : found;
    }

    private Span<byte> Find(ulong address, int bytes, string done, out Region region)
    {
        foreach (Region candidate in _regions)
        {
            if (address >= candidate.Start && address + (ulong)bytes <= candidate.Start + (ulong)candidate.Bytes.Length)
            {
                region = candidate;
                return candidate.Bytes.AsSpan((int)(address - candidate.Start), bytes);
            }
        }

        Region nearest = _regions.MinBy(candidate => Math.Abs((long)(address - candidate.Start)))!;
        throw new InvalidOperationException(
            $"{bytes} bytes are {done} that belong to nobody: {(long)(address - nearest.Start)} bytes from the start of {nearest.Name}, which has {nearest.Bytes.Length}.");
    }

    private sealed record Region(string Name, ulong Start, byte[] Bytes, bool IsReadOnly);
}
