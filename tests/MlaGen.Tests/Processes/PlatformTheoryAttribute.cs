namespace MlaGen.Tests.Processes;

/// <summary>A theory about one kind of system: skipped, with the reason, on any other.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class PlatformTheoryAttribute : TheoryAttribute
{
    public PlatformTheoryAttribute(Platform platform)
    {
        Platform = platform;
        Skip = Platforms.Objection(platform);
    }

    public Platform Platform { get; }
}
