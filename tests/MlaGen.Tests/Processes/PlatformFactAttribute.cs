namespace MlaGen.Tests.Processes;

/// <summary>A test of one kind of system: skipped, with the reason, on any other.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class PlatformFactAttribute : FactAttribute
{
    public PlatformFactAttribute(Platform platform)
    {
        Platform = platform;
        Skip = Platforms.Objection(platform);
    }

    public Platform Platform { get; }
}
