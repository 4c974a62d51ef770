using System.Collections.Immutable;
using System.Composition;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CodeActions;
using Microsoft.CodeAnalysis.CodeFixes;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Formatting;

namespace MlaGen.CodeFixes;

/// <summary>Adds <c>Commit()</c> after the last layer has run, as often as sequences were added.</summary>
[ExportCodeFixProvider(LanguageNames.CSharp, Name = nameof(AddCommitFix))]
[Shared]
public sealed class AddCommitFix : CodeFixProvider
{
    /// <inheritdoc/>
    public override ImmutableArray<string> FixableDiagnosticIds { get; } = ["MLA0305"];

    /// <inheritdoc/>
    public override FixAllProvider GetFixAllProvider() => WellKnownFixAllProviders.BatchFixer;

    /// <inheritdoc/>
    public override async Task RegisterCodeFixesAsync(CodeFixContext context)
    {
        SyntaxNode? root = await context.Document.GetSyntaxRootAsync(context.CancellationToken).ConfigureAwait(false);
        if (root is null || context.Diagnostics[0] is not { AdditionalLocations: [var lastAdd, var lastForward] } diagnostic)
        {
            return;
        }

        SyntaxToken batch = root.FindToken(diagnostic.Location.SourceSpan.Start);
        StatementSyntax? statement = StepEnd(root.FindNode(lastAdd.SourceSpan), root.FindNode(lastForward.SourceSpan));
        if (statement is null)
        {
            return;
        }

        SyntaxNode changed = statement.Parent is GlobalStatementSyntax { Parent: CompilationUnitSyntax unit } global
            ? root.ReplaceNode(unit, unit.WithMembers(unit.Members.Insert(unit.Members.IndexOf(global) + 1, SyntaxFactory.GlobalStatement(Commit(batch)))))
            : root.InsertNodesAfter(statement, [Commit(batch)]);
        context.RegisterCodeFix(
            CodeAction.Create($"Add '{batch.Text}.Commit()'", _ => Task.FromResult(context.Document.WithSyntaxRoot(changed)), nameof(AddCommitFix)),
            context.Diagnostics);
    }

    /// <summary>The statement in which a step's last layer runs: beside the one that adds, or the outermost one below it.</summary>
    private static StatementSyntax? StepEnd(SyntaxNode add, SyntaxNode forward)
        => forward.AncestorsAndSelf().OfType<StatementSyntax>().FirstOrDefault(statement =>
            statement.Parent is BlockSyntax or SwitchSectionSyntax or GlobalStatementSyntax
            && !statement.Span.Contains(add.Span)
            && (statement.Parent is GlobalStatementSyntax ? statement.Parent.Parent! : statement.Parent).Span.Contains(add.Span));

    private static ExpressionStatementSyntax Commit(SyntaxToken batch)
        => SyntaxFactory.ExpressionStatement(
            SyntaxFactory.InvocationExpression(
                SyntaxFactory.MemberAccessExpression(
                    SyntaxKind.SimpleMemberAccessExpression,
                    SyntaxFactory.IdentifierName(batch.WithoutTrivia()),
                    SyntaxFactory.IdentifierName("Commit"))))
            .WithAdditionalAnnotations(Formatter.Annotation);
}
