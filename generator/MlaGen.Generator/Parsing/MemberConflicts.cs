using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using MlaGen.Generator.Diagnostics;
using MlaGen.Generator.Emission;
using MlaGen.Generator.Model;

namespace MlaGen.Generator.Parsing;

/// <summary>What a class has, or inherits, that its generated part would declare again, or could not be constructed beside.</summary>
internal static class MemberConflicts
{
    private const string Constructor = ".ctor";

    // Without @, so that a name is compared with a name; without nullability, which overloads cannot differ by.
    private static readonly SymbolDisplayFormat _parameterType = SymbolDisplayFormat.FullyQualifiedFormat.WithMiscellaneousOptions(SymbolDisplayMiscellaneousOptions.UseSpecialTypes);

    /// <summary>The problems of a class, one for each member and each way in which it cannot be constructed.</summary>
    public static IEnumerable<Problem> Find(INamedTypeSymbol type, Compilation compilation)
    {
        TargetClass target = DeclarationParser.Target(type);
        ImmutableArray<ISymbol> own = type.GetMembers();
        bool hasPrimary = type.DeclaringSyntaxReferences.Any(static reference => reference.GetSyntax() is TypeDeclarationSyntax { ParameterList: not null });
        if (hasPrimary)
        {
            yield return Problem.OnClass(Rules.PrimaryConstructor, type.Name);
        }

        // A property, field or type of several parts is one member; of overloads each is its own.
        foreach (ISymbol member in own.Where(member => !member.IsImplicitlyDeclared && !IsGenerated(member) && !(hasPrimary && member.Name == Constructor) && IsTaken(member, target)))
        {
            yield return Problem.OnClass(Rules.MemberTaken, type.Name, $"declares {Name(member)}") with { Member = own.IndexOf(member) };
        }

        foreach (ISymbol member in own.Where(IsRequired))
        {
            yield return Problem.OnClass(Rules.RequiredMember, type.Name, $"requires {Name(member)}") with { Member = own.IndexOf(member) };
        }

        for (INamedTypeSymbol? ancestor = type.BaseType; ancestor is { SpecialType: not SpecialType.System_Object }; ancestor = ancestor.BaseType)
        {
            // What the generator gives to an ancestor is not there yet when it looks.
            if (AttributeParser.Find(ancestor) is not null)
            {
                yield return Problem.OnClass(Rules.MemberTaken, type.Name, $"inherits the members of '{ancestor.Name}', a layer itself");
                yield break;
            }

            if (ancestor.GetMembers().FirstOrDefault(IsRequired) is { } required)
            {
                yield return Problem.OnClass(Rules.RequiredMember, type.Name, $"inherits the required {Name(required)} from '{ancestor.Name}'");
            }

            if (ancestor.GetMembers().FirstOrDefault(member => member.Name != Constructor && compilation.IsSymbolAccessibleWithin(member, type) && IsTaken(member, target)) is { } inherited)
            {
                yield return Problem.OnClass(Rules.MemberTaken, type.Name, $"inherits {Name(inherited)} from '{ancestor.Name}'");
            }
        }

        if (type.BaseType is { TypeKind: TypeKind.Class } parent && BaseObstacle(parent, type, compilation) is { } obstacle)
        {
            yield return Problem.OnClass(Rules.BaseConstructor, type.Name, parent.Name, obstacle);
        }
    }

    /// <summary>Why the generated constructor cannot call one of the base class without arguments, or null.</summary>
    private static string? BaseObstacle(INamedTypeSymbol parent, INamedTypeSymbol type, Compilation compilation)
    {
        IMethodSymbol[] callable =
        [
            .. parent.InstanceConstructors
                .Where(constructor => constructor.Parameters.All(static parameter => parameter.IsOptional || parameter.IsParams) && compilation.IsSymbolAccessibleWithin(constructor, type))
                .OrderBy(static constructor => constructor.Parameters.Length),
        ];
        if (callable.Length == 0)
        {
            return "has no constructor that can be called without arguments";
        }

        // Of a constructor without parameters and others, the compiler takes the former; of the others it may find two equally good.
        if (callable.Length > 1 && callable[0].Parameters.Length > 0)
        {
            return "has several constructors that can be called without arguments, and none without parameters";
        }

        return callable[0].GetAttributes().Select(static attribute => attribute.AttributeClass?.Name).FirstOrDefault(static name => name is "SetsRequiredMembersAttribute" or "ObsoleteAttribute" or "ExperimentalAttribute") is { } attribute
            ? $"marks the constructor that can be called without arguments with {attribute}, which every caller would have to repeat"
            : null;
    }

    private static bool IsRequired(ISymbol member) => member is IPropertySymbol { IsRequired: true } or IFieldSymbol { IsRequired: true };

    private static bool IsTaken(ISymbol member, TargetClass target)
    {
        if (member is IMethodSymbol { MethodKind: MethodKind.Constructor } constructor)
        {
            // The second part of the type is still to be generated: an error type of that name.
            return constructor.Parameters is [{ RefKind: RefKind.None, Type.Name: "Weights" }, { RefKind: RefKind.None, Type.SpecialType: SpecialType.System_Int32 }];
        }

        // An accessor is told with its property.
        if (member is IMethodSymbol { AssociatedSymbol: not null })
        {
            return false;
        }

        if (IsOfTheInterface(member))
        {
            return true;
        }

        if (member is not IMethodSymbol method)
        {
            return EmittedNames.Members.Contains(member.Name);
        }

        if (EmittedNames.Methods(target).FirstOrDefault(emitted => emitted.Name == method.Name) is not { Parameters: { } parameters })
        {
            return EmittedNames.Members.Contains(method.Name);
        }

        return method.Arity == 0
            && method.Parameters.Select(static parameter => parameter.Type.ToDisplayString(_parameterType)).SequenceEqual(parameters)
            && method.Parameters.All(static parameter => parameter.RefKind == RefKind.None);
    }

    /// <summary>Whether a member implements IMlaAttention explicitly, as the generated part does.</summary>
    private static bool IsOfTheInterface(ISymbol member)
    {
        IEnumerable<ISymbol> implemented = member switch
        {
            IMethodSymbol method => method.ExplicitInterfaceImplementations,
            IPropertySymbol property => property.ExplicitInterfaceImplementations,
            _ => [],
        };
        return implemented.Any(static symbol => symbol.ContainingType is { Name: "IMlaAttention", ContainingNamespace: { Name: "MlaGen", ContainingNamespace.IsGlobalNamespace: true } });
    }

    /// <summary>Whether a member is of the generated part itself: analyzers see the class completed. The compiler names the generator in the paths of its files.</summary>
    private static bool IsGenerated(ISymbol member)
        => member.Locations.All(static location => location.SourceTree?.FilePath.Split('/', '\\').Contains(typeof(MlaGenerator).FullName) == true);

    private static string Name(ISymbol member) => member.Name == Constructor ? "the constructor of weights and layer" : $"'{member.Name}'";
}
