using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace MlaGen.CodeFixes;

/// <summary>Where a diagnostic about an annotated class stands in the syntax.</summary>
internal static class AttributeFixes
{
    /// <summary>The class that a diagnostic stands in: at its name, or in its attribute.</summary>
    public static TypeDeclarationSyntax? Class(SyntaxNode root, Diagnostic diagnostic)
        => root.FindNode(diagnostic.Location.SourceSpan).FirstAncestorOrSelf<TypeDeclarationSyntax>();

    /// <summary>The <c>[MlaAttention]</c> of a class.</summary>
    public static AttributeSyntax? Attribute(TypeDeclarationSyntax declaration)
        => declaration.AttributeLists.SelectMany(static list => list.Attributes).FirstOrDefault(static attribute => attribute.Name switch
        {
            QualifiedNameSyntax qualified => IsAttention(qualified.Right),
            AliasQualifiedNameSyntax aliased => IsAttention(aliased.Name),
            var name => IsAttention(name),
        });

    private static bool IsAttention(NameSyntax name) => name is IdentifierNameSyntax { Identifier.ValueText: "MlaAttention" or "MlaAttentionAttribute" };
}
