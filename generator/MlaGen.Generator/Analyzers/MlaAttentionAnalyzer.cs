using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Diagnostics;
using MlaGen.Generator.Configs;
using MlaGen.Generator.Diagnostics;
using MlaGen.Generator.Model;
using MlaGen.Generator.Parsing;

namespace MlaGen.Generator.Analyzers;

/// <summary>
/// Reports what is wrong with <c>[MlaAttention]</c> classes. An analyzer, since <c>#pragma</c> and code fixes do not reach what a
/// generator reports; both parse and check by the same functions, so they cannot disagree.
/// </summary>
[DiagnosticAnalyzer(LanguageNames.CSharp)]
public sealed class MlaAttentionAnalyzer : DiagnosticAnalyzer
{
    /// <inheritdoc/>
    public override ImmutableArray<DiagnosticDescriptor> SupportedDiagnostics => Rules.All;

    /// <inheritdoc/>
    public override void Initialize(AnalysisContext context)
    {
        context.EnableConcurrentExecution();
        context.ConfigureGeneratedCodeAnalysis(GeneratedCodeAnalysisFlags.None);
        context.RegisterCompilationStartAction(static start =>
        {
            // Read when the first class asks: most projects that reference the analyzer have none.
            Lazy<EquatableArray<ConfigModel>> configs = new(() => new ConfigFiles(start.Options, start.CancellationToken).Models);
            start.RegisterSymbolAction(
                symbol =>
                {
                    foreach (Diagnostic diagnostic in Diagnose((INamedTypeSymbol)symbol.Symbol, symbol.Compilation, () => configs.Value, symbol.CancellationToken))
                    {
                        symbol.ReportDiagnostic(diagnostic);
                    }
                },
                SymbolKind.NamedType);
        });
    }

    /// <summary>What is wrong with a class that carries the attribute; nothing for any other type.</summary>
    internal static IEnumerable<Diagnostic> Diagnose(INamedTypeSymbol type, Compilation compilation, EquatableArray<ConfigModel> configs, CancellationToken cancellation)
        => Diagnose(type, compilation, () => configs, cancellation);

    private static IEnumerable<Diagnostic> Diagnose(INamedTypeSymbol type, Compilation compilation, Func<EquatableArray<ConfigModel>> configs, CancellationToken cancellation)
    {
        // On anything but a class the compiler refuses the attribute itself (CS0592).
        if (type.TypeKind != TypeKind.Class
            || AttributeParser.Find(type) is not { } attribute
            || attribute.ApplicationSyntaxReference?.GetSyntax(cancellation) is not AttributeSyntax syntax
            || AttributeParser.Parse(type, attribute, compilation) is not { } model)
        {
            yield break;
        }

        foreach (Problem problem in SpecResolver.Problems(model, configs()))
        {
            Location place = problem.Member is { } member ? type.GetMembers()[member].Locations[0] : Locate(syntax, problem.Property);
            yield return Diagnostic.Create(problem.Rule, place, [.. problem.Arguments]);
        }
    }

    /// <summary>The argument that sets a property; the configuration's name where the configuration may have set it; else the class's name.</summary>
    private static Location Locate(AttributeSyntax attribute, string? property)
    {
        SyntaxToken className = ((BaseTypeDeclarationSyntax)attribute.Parent!.Parent!).Identifier;
        if (property is null || attribute.ArgumentList is not { } list)
        {
            return className.GetLocation();
        }

        AttributeArgumentSyntax? argument = list.Arguments.FirstOrDefault(candidate => candidate.NameEquals?.Name.Identifier.ValueText == property)
            ?? list.Arguments.FirstOrDefault(static candidate => candidate.NameEquals is null);
        return argument?.GetLocation() ?? className.GetLocation();
    }
}
