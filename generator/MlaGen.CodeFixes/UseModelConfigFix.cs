using System.Collections.Immutable;
using System.Composition;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CodeActions;
using Microsoft.CodeAnalysis.CodeFixes;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Diagnostics;
using MlaGen.Generator.Configs;
using MlaGen.Generator.Model;

namespace MlaGen.CodeFixes;

/// <summary>Takes the dimensions that an attribute lacks from one of the project's model configurations. What is written goes on to count.</summary>
[ExportCodeFixProvider(LanguageNames.CSharp, Name = nameof(UseModelConfigFix))]
[Shared]
public sealed class UseModelConfigFix : CodeFixProvider
{
    /// <inheritdoc/>
    public override ImmutableArray<string> FixableDiagnosticIds { get; } = ["MLA0005"];

    /// <inheritdoc/>
    public override FixAllProvider GetFixAllProvider() => WellKnownFixAllProviders.BatchFixer;

    /// <inheritdoc/>
    public override async Task RegisterCodeFixesAsync(CodeFixContext context)
    {
        SyntaxNode? root = await context.Document.GetSyntaxRootAsync(context.CancellationToken).ConfigureAwait(false);
        if (root is null || AttributeFixes.Class(root, context.Diagnostics[0]) is not { } declaration || AttributeFixes.Attribute(declaration) is not { } attribute)
        {
            return;
        }

        foreach (string name in Configs(context.Document.Project.AnalyzerOptions, context.CancellationToken))
        {
            context.RegisterCodeFix(
                CodeAction.Create(
                    $"Take the dimensions from the model configuration '{name}'",
                    _ => Task.FromResult(context.Document.WithSyntaxRoot(root.ReplaceNode(attribute, WithConfig(attribute, name)))),
                    $"{nameof(UseModelConfigFix)}:{name}"),
                context.Diagnostics);
        }
    }

    /// <summary>Names of the configurations that a class can be generated from.</summary>
    private static IEnumerable<string> Configs(AnalyzerOptions options, CancellationToken cancellation)
        => options.AdditionalFiles
            .Select(file => ConfigReader.Read(file, options.AnalyzerConfigOptionsProvider, cancellation))
            .Where(static config => config is { IsValid: true })
            .Select(static (ConfigModel? config) => config!.Name)
            .Distinct()
            .OrderBy(static name => name, StringComparer.Ordinal);

    private static AttributeSyntax WithConfig(AttributeSyntax attribute, string name)
    {
        AttributeArgumentSyntax argument = SyntaxFactory.AttributeArgument(SyntaxFactory.LiteralExpression(SyntaxKind.StringLiteralExpression, SyntaxFactory.Literal(name)));
        if (attribute.ArgumentList is not { Arguments: [var first, ..] } list)
        {
            return attribute.WithArgumentList(SyntaxFactory.AttributeArgumentList([argument]));
        }

        // A comma and a space before the first one that is written, which keeps its line.
        SeparatedSyntaxList<AttributeArgumentSyntax> arguments = list.Arguments
            .Replace(first, first.WithLeadingTrivia(SyntaxFactory.Space))
            .Insert(0, argument.WithLeadingTrivia(first.GetLeadingTrivia()));
        SyntaxToken comma = arguments.GetSeparator(0);
        return attribute.WithArgumentList(list.WithArguments(arguments.ReplaceSeparator(comma, SyntaxFactory.Token(SyntaxKind.CommaToken))));
    }
}
