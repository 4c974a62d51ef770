using System.Runtime.InteropServices;

namespace MlaGen.Tests.Attention;

/// <summary>A test of an Arm64 machine: skipped, with the reason, on any other.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class Arm64FactAttribute : FactAttribute
{
    public Arm64FactAttribute()
    {
        if (RuntimeInformation.ProcessArchitecture != Architecture.Arm64)
        {
            Skip = "Not run: this machine is no Arm64. The plan for its 32 registers is compiled, and computes on x86 with what that has.";
        }
    }
}
