using System.Collections;
using System.Reflection;
using Microsoft.CodeAnalysis;

namespace MlaGen.Generator.Tests.Infrastructure;

/// <summary>Looks for what a step of an incremental generator must not hold: it would keep whole compilations alive, or never compare equal.</summary>
internal static class ObjectGraph
{
    /// <summary>Path to the first forbidden object that is reachable from <paramref name="root"/>, or null.</summary>
    public static string? FindForbidden(object? root) => Find(root, "output", new HashSet<object>(ReferenceEqualityComparer.Instance));

    private static string? Find(object? node, string path, HashSet<object> visited)
    {
        // A descriptor is a constant of the generator itself.
        if (node is null or string or DiagnosticDescriptor || node.GetType().IsPrimitive || node.GetType().IsEnum || (!node.GetType().IsValueType && !visited.Add(node)))
        {
            return null;
        }

        if (node is ISymbol or SyntaxNode or SyntaxTree or SemanticModel or Compilation or Location or SyntaxReference or AttributeData)
        {
            return $"{path} is {node.GetType().Name}";
        }

        if (node is IEnumerable items)
        {
            return items.Cast<object?>().Select((item, index) => Find(item, $"{path}[{index}]", visited)).FirstOrDefault(static found => found is not null);
        }

        for (Type? type = node.GetType(); type is not null && type != typeof(object); type = type.BaseType)
        {
            foreach (FieldInfo field in type.GetFields(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly))
            {
                if (Find(field.GetValue(node), $"{path}.{field.Name}", visited) is { } found)
                {
                    return found;
                }
            }
        }

        return null;
    }
}
