using MlaGen.Generator.Model;

namespace MlaGen.Generator.Planning;

internal static class KernelPlanner
{
    public static KernelPlan Plan(MlaSpec spec) => new(spec);
}
