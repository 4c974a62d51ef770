using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using MlaGen.Generator.Emission.Vectors;

namespace MlaGen.Generator.Parsing;

/// <summary>
/// Types that emitted code names, by their full names. The language lets a project declare a type of the same full name, which then hides the one that
/// is meant: the one thing against which <c>global::</c> is no help.
/// </summary>
internal static class HiddenTypes
{
    private static readonly ImmutableArray<string> _types =
    [
        .. KernelEmitter.Types,
        "MlaGen.CacheFormat",
        "MlaGen.CacheLayout",
        "MlaGen.CheckpointException",
        "MlaGen.ICheckpoint",
        "MlaGen.IMlaAttention`1",
        "MlaGen.LatentCacheOptions",
        "MlaGen.LatentCache`1",
        "MlaGen.MlaBatch`1",
        "MlaGen.MlaCores",
        "MlaGen.MlaShape",
        "MlaGen.OutputGate",
        "MlaGen.RopeLayout",
        "MlaGen.Runtime.LayerWeights",
        "MlaGen.Runtime.MlaDefinition",
        "MlaGen.Runtime.MlaLayer",
        "MlaGen.Runtime.MlaLayer`1",
        "MlaGen.Runtime.NormWeight",
        "MlaGen.Runtime.Projection",
        "MlaGen.Runtime.SinkWeight",
        "System.ArgumentException",
        "System.ArgumentNullException",
        "System.ArgumentOutOfRangeException",
        "System.CodeDom.Compiler.GeneratedCodeAttribute",
        "System.ComponentModel.EditorBrowsableAttribute",
        "System.ComponentModel.EditorBrowsableState",
        "System.Diagnostics.CodeAnalysis.ExcludeFromCodeCoverageAttribute",
        "System.Diagnostics.DebuggerNonUserCodeAttribute",
        "System.InvalidOperationException",
        "System.OperationCanceledException",
        "System.OverflowException",
        "System.ReadOnlyMemory`1",
        "System.ReadOnlySpan`1",
        "System.Runtime.Intrinsics.Vector128",
        "System.Runtime.Intrinsics.Vector128`1",
        "System.Runtime.Intrinsics.Vector256",
        "System.Runtime.Intrinsics.Vector256`1",
        "System.Runtime.Intrinsics.Vector512",
        "System.Runtime.Intrinsics.Vector512`1",
        "System.Span`1",
    ];

    /// <summary>Their namespaces, and those around them: a class of the same name hides all that is in one.</summary>
    private static readonly ImmutableArray<string> _namespaces = [.. _types.SelectMany(Prefixes).Append("MlaGen.Emitted").Distinct()];

    /// <summary>Full names, as metadata has them.</summary>
    public static IEnumerable<string> All => _types;

    /// <summary>The first declaration of the project that hides what emitted code names, or null.</summary>
    public static INamedTypeSymbol? Find(Compilation compilation)
    {
        foreach (string name in _namespaces)
        {
            if (compilation.Assembly.GetTypeByMetadataName(name) is { } type)
            {
                return type;
            }
        }

        foreach (string name in _types)
        {
            // A project that compiles the runtime's source has it once, and hides nothing.
            if (compilation.Assembly.GetTypeByMetadataName(name) is { } type && compilation.GetTypesByMetadataName(name).Length > 1)
            {
                return type;
            }
        }

        return null;
    }

    private static IEnumerable<string> Prefixes(string name)
    {
        for (int dot = name.IndexOf('.'); dot >= 0; dot = name.IndexOf('.', dot + 1))
        {
            yield return name.Substring(0, dot);
        }
    }
}
