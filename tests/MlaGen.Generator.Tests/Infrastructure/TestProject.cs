using System.Reflection;

namespace MlaGen.Generator.Tests.Infrastructure;

/// <summary>Directories of this project, as the build recorded them.</summary>
internal static class TestProject
{
    public static string Directory { get; } = Metadata("ProjectDirectory");

    public static string Repository { get; } = Metadata("RepositoryDirectory");

    private static string Metadata(string key)
        => typeof(TestProject).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(attribute => attribute.Key == key).Value!;
}
