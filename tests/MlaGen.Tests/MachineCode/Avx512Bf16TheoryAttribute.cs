using MlaGen.Runtime;

namespace MlaGen.Tests.MachineCode;

/// <summary>A test of numbers that only cores of AVX512-BF16 take: skipped, with the reason, where there is none.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class Avx512Bf16TheoryAttribute : TheoryAttribute
{
    public Avx512Bf16TheoryAttribute() => Skip = MatrixInstructions.Avx512Bf16Refusal is { } refusal ? $"Not run: {refusal}." : null;
}
