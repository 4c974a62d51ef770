using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace MlaGen.Generator.Tests.Infrastructure;

/// <summary>A core library with another version number, and the attribute compiled against it: what a project that targets that framework sees.</summary>
internal static class OtherFramework
{
    private const string Core = """
        [assembly: System.Reflection.AssemblyVersion("{0}.0.0.0")]
        namespace System
        {
            public class Object { }
            public abstract class ValueType { }
            public abstract class Enum : ValueType { }
            public abstract class Array { }
            public abstract class Attribute { }
            public struct Void { }
            public struct Boolean { }
            public struct Byte { }
            public struct Int32 { }
            public struct Double { }
            public sealed class String { }
            public class Type { }
            public enum AttributeTargets { Assembly = 1, Class = 4, All = 32767 }
            public sealed class AttributeUsageAttribute : Attribute
            {
                public AttributeUsageAttribute(AttributeTargets targets) { }
                public bool AllowMultiple { get; set; }
                public bool Inherited { get; set; }
            }
        }
        namespace System.Reflection
        {
            public sealed class AssemblyVersionAttribute : Attribute { public AssemblyVersionAttribute(string version) { } }
        }
        """;

    // By this the attribute is known to be the one that comes with the runtime.
    private const string Layers = "namespace MlaGen { public interface IMlaAttention<TSelf> { } }";

    private static readonly string[] _runtimeFiles = ["MlaAttentionAttribute.cs", "OutputGate.cs", "Rotary/RopeLayout.cs", "Rotary/RopeScaling.cs", "Caching/Formats/CacheFormat.cs"];

    /// <summary>References of a project that targets .NET <paramref name="version"/>.</summary>
    public static MetadataReference[] References(int version)
    {
        MetadataReference core = Compile("System.Runtime", [Core.Replace("{0}", FormattableString.Invariant($"{version}"), StringComparison.Ordinal)]);
        IEnumerable<string> runtime = _runtimeFiles.Select(static file => File.ReadAllText(Path.Combine(TestProject.Repository, "src/MlaGen", file)));
        return [core, Compile("MlaGen", runtime.Append(Layers).Prepend("global using System;"), core)];
    }

    private static PortableExecutableReference Compile(string assembly, IEnumerable<string> sources, params MetadataReference[] references)
    {
        CSharpCompilation compilation = CSharpCompilation.Create(
            assembly,
            sources.Select(static source => CSharpSyntaxTree.ParseText(source)),
            references,
            new CSharpCompilationOptions(OutputKind.DynamicallyLinkedLibrary, nullableContextOptions: NullableContextOptions.Annotations));
        MemoryStream image = new();

        // Metadata alone: no body of this code is ever run.
        var result = compilation.Emit(image, options: new Microsoft.CodeAnalysis.Emit.EmitOptions(metadataOnly: true));
        Assert.True(result.Success, string.Join('\n', result.Diagnostics));
        return MetadataReference.CreateFromImage(image.ToArray());
    }
}
