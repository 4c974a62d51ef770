using System.Globalization;

namespace MlaGen.Generator.Emission.MachineCode;

/// <summary>Writes the bytes of a routine, a line an instruction, with the listing beside them.</summary>
internal static class RoutineText
{
    /// <summary>Bytes of an instruction at most: the listing stands behind them.</summary>
    private const int ListingColumn = 72;

    /// <summary>Writes the property that a core gives its runtime a routine by.</summary>
    public static void Write(CodeWriter writer, string name, Routine routine)
    {
        writer.Line($"protected override MachineRoutine {name} => new MachineRoutine(");
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
