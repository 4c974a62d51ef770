using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using MlaGen.Generator.Diagnostics;
using MlaGen.Generator.Emission;
using MlaGen.Generator.Model;

namespace MlaGen.Generator.Parsing;

/// <summary>The class itself: how to write its other part, and what stands in the way.</summary>
internal static class DeclarationParser
{
    /// <summary>The default of a net10.0 project, so that emission may use all of the language.</summary>
    public const LanguageVersion RequiredLanguage = LanguageVersion.CSharp14;

    private const int RequiredFramework = 10;

    private static readonly SymbolDisplayFormat _plainName = new(typeQualificationStyle: SymbolDisplayTypeQualificationStyle.NameAndContainingTypesAndNamespaces);

    public static TargetClass Target(INamedTypeSymbol type) => new(
        Namespace(type),
        new(ContainingTypes(type).Reverse().Select(Declaration)),
        type.Name,
        SyntaxFacts.GetText(type.DeclaredAccessibility))
    {
        MetadataName = MetadataName(type),
    };

    /// <summary>The name by which a compilation finds a class again.</summary>
    public static string MetadataName(INamedTypeSymbol type)
    {
        string name = type.MetadataName;
        for (INamedTypeSymbol? container = type.ContainingType; container is not null; container = container.ContainingType)
        {
            name = container.MetadataName + "+" + name;
        }

        return type.ContainingNamespace.IsGlobalNamespace ? name : $"{Namespace(type)}.{name}";
    }

    /// <summary>The namespace of a type, empty for the global one.</summary>
    public static string Namespace(INamedTypeSymbol type) => type.ContainingNamespace.IsGlobalNamespace ? string.Empty : type.ContainingNamespace.ToDisplayString(_plainName);

    public static IEnumerable<Problem> Problems(INamedTypeSymbol type, Compilation compilation)
    {
        if (!IsPartial(type))
        {
            yield return Problem.OnClass(Rules.ClassNotPartial, type.Name);
        }

        if (ContainingTypes(type).Prepend(type).FirstOrDefault(static candidate => candidate.Arity > 0) is { } generic)
        {
            yield return Problem.OnClass(Rules.GenericClass, type.Name, generic.ToDisplayString(SymbolDisplayFormat.MinimallyQualifiedFormat));
        }

        if (ContainingTypes(type).FirstOrDefault(static container => !IsPartial(container)) is { } whole)
        {
            yield return Problem.OnClass(Rules.ContainingTypeNotPartial, type.Name, whole.Name);
        }

        if (Obstacle(type) is { } obstacle)
        {
            yield return Problem.OnClass(Rules.UnsupportedClass, type.Name, obstacle);
        }

        // Only a class that can be completed has members to meet.
        if (type.TypeKind == TypeKind.Class && Obstacle(type) is null)
        {
            foreach (Problem conflict in MemberConflicts.Find(type, compilation))
            {
                yield return conflict;
            }
        }

        if (HiddenTypes.Find(compilation) is { } hidden)
        {
            yield return Hidden(type, hidden);
        }

        // The assembly that defines object carries the framework's version, whatever the project's settings are called.
        AssemblyIdentity core = compilation.ObjectType.ContainingAssembly.Identity;
        if (core.Version.Major < RequiredFramework)
        {
            yield return Problem.OnClass(Rules.FrameworkTooOld, type.Name, core.Name + " " + core.Version.ToString(2));
        }

        if (compilation is CSharpCompilation { LanguageVersion: var language } && language < RequiredLanguage)
        {
            yield return Problem.OnClass(Rules.LanguageTooOld, type.Name, RequiredLanguage.ToDisplayString(), language.ToDisplayString());
        }
    }

    /// <summary>The attribute is another one of the same name, which the project declares or gets from elsewhere.</summary>
    public static Problem Foreign(INamedTypeSymbol type, INamedTypeSymbol attribute) => Hidden(type, attribute);

    private static Problem Hidden(INamedTypeSymbol type, INamedTypeSymbol by)
        => Problem.OnClass(Rules.HiddenType, type.Name, by.ToDisplayString(_plainName), by.ContainingAssembly.Name);

    private static string? Obstacle(INamedTypeSymbol type)
    {
        if (type.IsStatic)
        {
            return "static";
        }

        if (type.IsAbstract)
        {
            return "abstract";
        }

        if (type.IsRecord)
        {
            return "a record";
        }

        if (EmittedNames.Members.Contains(type.Name))
        {
            return "named like a member that it would get";
        }

        return ContainingTypes(type).Prepend(type).Any(static candidate => candidate.IsFileLocal) ? "local to its file" : null;
    }

    /// <summary>Types around a type, innermost first.</summary>
    private static IEnumerable<INamedTypeSymbol> ContainingTypes(INamedTypeSymbol type)
    {
        for (INamedTypeSymbol? container = type.ContainingType; container is not null; container = container.ContainingType)
        {
            yield return container;
        }
    }

    private static bool IsPartial(INamedTypeSymbol type)
        => type.DeclaringSyntaxReferences.All(static reference => reference.GetSyntax() is TypeDeclarationSyntax declaration && declaration.Modifiers.Any(SyntaxKind.PartialKeyword));

    private static string Declaration(INamedTypeSymbol type)
    {
        string keyword = (type.TypeKind, type.IsRecord) switch
        {
            (TypeKind.Struct, true) => "record struct",
            (TypeKind.Struct, false) => "struct",
            (TypeKind.Interface, _) => "interface",
            (_, true) => "record",
            _ => "class",
        };
        return $"partial {keyword} {type.Name}";
    }
}
