namespace MlaGen.Tests.Acceptance;

/// <summary>A test over full grids, which takes many minutes: skipped unless it is asked for.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class FullGridTheoryAttribute : TheoryAttribute
{
    /// <summary>Set to 1, full grids run.</summary>
    public const string Variable = "MLAGEN_FULL_GRIDS";

    public FullGridTheoryAttribute()
    {
        if (Environment.GetEnvironmentVariable(Variable) != "1")
        {
            Skip = $"Full grids take many minutes; they run with {Variable}=1.";
        }
    }
}
