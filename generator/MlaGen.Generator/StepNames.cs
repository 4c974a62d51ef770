namespace MlaGen.Generator;

/// <summary>Names of the generator's steps, each an equatable value for the next: incrementality tests look them up.</summary>
internal static class StepNames
{
    /// <summary>What an attribute and its class declare, without a symbol or a location.</summary>
    public const string ParseAttribute = nameof(ParseAttribute);

    /// <summary>What the project's model configurations say.</summary>
    public const string ParseConfig = nameof(ParseConfig);

    /// <summary>Attribute and configuration brought together and checked.</summary>
    public const string ResolveSpec = nameof(ResolveSpec);

    /// <summary>The constants of one class, and which kernels it uses.</summary>
    public const string PlanLayer = nameof(PlanLayer);

    /// <summary>The emitted files of one class.</summary>
    public const string Output = nameof(Output);

    /// <summary>The sets of dimensions that the classes of the project have, each once.</summary>
    public const string KernelShapes = nameof(KernelShapes);

    /// <summary>Every size that the emission of kernels needs.</summary>
    public const string PlanKernels = nameof(PlanKernels);

    /// <summary>The emitted files of one set of kernels.</summary>
    public const string KernelOutput = nameof(KernelOutput);
}
