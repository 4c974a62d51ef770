using MlaGen.Runtime;

namespace MlaGen.Tests.MachineCode;

/// <summary>A test of tiles: skipped, with the reason, where there are none.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class AmxFactAttribute : FactAttribute
{
    public AmxFactAttribute() => Skip = MatrixInstructions.AmxRefusal is { } refusal ? $"Not run: {refusal}." : null;
}
