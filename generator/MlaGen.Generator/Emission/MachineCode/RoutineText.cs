using System.Globalization;

namespace MlaGen.Generator.Emission.MachineCode;

/// <summary>Writes a routine: its bytes with the listing beside them.</summary>
internal static class RoutineText
{
    /// <summary>Bytes of an instruction at most: the listing stands behind them.</summary>
    private const int ListingColumn = 72;

    /// <summary>Writes a property that is the routine.</summary>
    /// <param name="writer">Takes the text.</param>
    /// <param name="declaration">What stands before the arrow.</param>
    /// <param name="routine">The routine.</param>
    public static void Write(CodeWriter writer, string declaration, Routine routine)
    {
        writer.Line($"{declaration} => new MachineRoutine(");
        writer.Line("    new byte[]");
        writer.Line("    {");
        foreach (RoutineLine line in routine.Lines)
        {
            if (line.Label is not null)
            {
                writer.Line($"        // {line.Label}:");
            }

            string bytes = string.Join(" ", line.Bytes.Select(static value => $"0x{value.ToString("X2", CultureInfo.InvariantCulture)},"));
            writer.Line($"        {bytes.PadRight(ListingColumn)} // {line.Text}");
        }

        writer.Line("    },");
        writer.Line($"    windowsEntry: {routine.WindowsEntry});");
    }
}
