namespace Explorer.Commands;

/// <summary>What every command is told.</summary>
/// <param name="Threads">Threads to compute on.</param>
/// <param name="Seconds">About how long each kernel is measured.</param>
internal sealed record MeasurementOptions(int Threads, double Seconds);
