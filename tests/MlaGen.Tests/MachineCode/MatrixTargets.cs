using MlaGen.Runtime;

namespace MlaGen.Tests.MachineCode;

/// <summary>Whether cores of matrix instructions are chosen on this machine.</summary>
internal static class MatrixTargets
{
    public static bool Any => Targets.Refusal(CoreTarget.Avx512Bf16) is null || Targets.Refusal(CoreTarget.Amx) is null;
}
