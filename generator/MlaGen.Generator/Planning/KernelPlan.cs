using MlaGen.Generator.Model;

namespace MlaGen.Generator.Planning;

/// <summary>Everything that emission needs to know about one class.</summary>
internal sealed record KernelPlan(MlaSpec Spec);
