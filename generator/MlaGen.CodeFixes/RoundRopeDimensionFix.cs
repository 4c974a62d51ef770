using System.Collections.Immutable;
using System.Composition;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CodeActions;
using Microsoft.CodeAnalysis.CodeFixes;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace MlaGen.CodeFixes;

/// <summary>Rounds an odd rotary dimension to the even number below or above it.</summary>
[ExportCodeFixProvider(LanguageNames.CSharp, Name = nameof(RoundRopeDimensionFix))]
[Shared]
public sealed class RoundRopeDimensionFix : CodeFixProvider
{
    /// <inheritdoc/>
    public override ImmutableArray<string> FixableDiagnosticIds { get; } = ["MLA0008"];

    /// <inheritdoc/>
    public override FixAllProvider GetFixAllProvider() => WellKnownFixAllProviders.BatchFixer;

    /// <inheritdoc/>
    public override async Task RegisterCodeFixesAsync(CodeFixContext context)
    {
        SyntaxNode? root = await context.Document.GetSyntaxRootAsync(context.CancellationToken).ConfigureAwait(false);
        SemanticModel? model = await context.Document.GetSemanticModelAsync(context.CancellationToken).ConfigureAwait(false);
        if (root?.FindNode(context.Span).FirstAncestorOrSelf<AttributeArgumentSyntax>() is not { NameEquals.Name.Identifier.ValueText: "QkRopeHeadDim" } argument
            || model?.GetConstantValue(argument.Expression, context.CancellationToken) is not { HasValue: true, Value: int found })
        {
            return;
        }

        Offer(found - 1, "down");
        Offer(found + 1, "up");

        void Offer(int even, string direction)
        {
            // No pair is left of 1 rounded down: that is no rotation, another model.
            if (even <= 0)
            {
                return;
            }

            ExpressionSyntax rounded = SyntaxFactory.LiteralExpression(SyntaxKind.NumericLiteralExpression, SyntaxFactory.Literal(even)).WithTriviaFrom(argument.Expression);
            context.RegisterCodeFix(
                CodeAction.Create(
                    $"Round QkRopeHeadDim {direction} to {even}",
                    _ => Task.FromResult(context.Document.WithSyntaxRoot(root.ReplaceNode(argument.Expression, rounded))),
                    $"{nameof(RoundRopeDimensionFix)}:{direction}"),
                context.Diagnostics);
        }
    }
}
