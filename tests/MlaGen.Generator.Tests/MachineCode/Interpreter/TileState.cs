namespace MlaGen.Tests.MachineCode.Interpreter;

/// <summary>Eight tiles, and the shapes that they were given.</summary>
internal sealed class TileState
{
    /// <summary>Tiles there are.</summary>
    public const int Count = 8;

    /// <summary>Rows of a tile at most.</summary>
    public const int MostRows = 16;

    /// <summary>Bytes of a row at most, and of the configuration.</summary>
    public const int MostRowBytes = 64;

    private const int FirstRowBytes = 16;
    private const int FirstRows = 48;

    private readonly Tile[] _tiles = new Tile[Count];

    /// <summary>Whether no tile is configured.</summary>
    public bool AreReleased { get; private set; } = true;

    /// <summary>A tile that is configured.</summary>
    public Tile this[int index] => AreReleased || _tiles[index].Rows == 0 ? throw new InvalidOperationException($"tmm{index} is not configured.") : _tiles[index];

    /// <summary>Releases all tiles.</summary>
    public void Release() => AreReleased = true;

    /// <summary>Takes a configuration of 64 bytes; all tiles are zeros behind it.</summary>
    public void Configure(ReadOnlySpan<byte> configuration)
    {
        Require(configuration[0] == 1 && configuration[1] == 0, "the palette is not 1, or tiles are to start within a row");
        Require(!configuration[2..FirstRowBytes].ContainsAnyExcept((byte)0), "reserved bytes are not 0");
        Require(!configuration[(FirstRowBytes + (2 * Count))..FirstRows].ContainsAnyExcept((byte)0), "there are more tiles than eight");
        Require(!configuration[(FirstRows + Count)..].ContainsAnyExcept((byte)0), "there are more tiles than eight");
        for (int i = 0; i < Count; i++)
        {
            int rowBytes = configuration[FirstRowBytes + (2 * i)] + (256 * configuration[FirstRowBytes + (2 * i) + 1]);
            int rows = configuration[FirstRows + i];
            Require(rowBytes <= MostRowBytes && rows <= MostRows && rowBytes % sizeof(float) == 0, $"tmm{i} of {rows} rows of {rowBytes} bytes is no tile");
            Require((rowBytes == 0) == (rows == 0), $"tmm{i} has rows or bytes, and not both");
            _tiles[i] = new Tile(rows, rowBytes, new byte[MostRows * MostRowBytes]);
        }

        AreReleased = false;
    }

    private static void Require(bool holds, string problem)
    {
        if (!holds)
        {
            throw new InvalidOperationException($"{problem}.");
        }
    }

    /// <summary>A tile.</summary>
    public readonly record struct Tile(int Rows, int RowBytes, byte[] Bytes)
    {
        /// <summary>A row, of which the configured bytes alone are used.</summary>
        public Span<byte> Row(int row) => Bytes.AsSpan(row * MostRowBytes, RowBytes);
    }
}
