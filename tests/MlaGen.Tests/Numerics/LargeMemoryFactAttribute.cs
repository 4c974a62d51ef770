namespace MlaGen.Tests.Numerics;

/// <summary>A test that takes several gigabytes of memory: skipped unless it is asked for.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class LargeMemoryFactAttribute : FactAttribute
{
    /// <summary>Set to 1, they run.</summary>
    public const string Variable = "MLAGEN_LARGE_MEMORY";

    public LargeMemoryFactAttribute()
    {
        if (Environment.GetEnvironmentVariable(Variable) != "1")
        {
            Skip = $"This takes gigabytes of memory; it runs with {Variable}=1.";
        }
    }
}
