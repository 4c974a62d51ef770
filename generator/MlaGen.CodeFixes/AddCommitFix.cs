using System.Collections.Immutable;
using System.Composition;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CodeActions;
using Microsoft.CodeAnalysis.CodeFixes;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

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

        SyntaxNode changed = WithCommit(root, statement, batch.Text);
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

    private static SyntaxNode WithCommit(SyntaxNode root, StatementSyntax statement, string batch)
    {
        SyntaxTrivia newLine = root.DescendantTrivia().FirstOrDefault(static trivia => trivia.IsKind(SyntaxKind.EndOfLineTrivia));
        bool endsLine = statement.GetTrailingTrivia().Any(SyntaxKind.EndOfLineTrivia);
        StatementSyntax commit = SyntaxFactory.ParseStatement(batch + ".Commit();");
        if (!endsLine && !statement.GetLastToken().GetNextToken(includeZeroWidth: true).IsKind(SyntaxKind.EndOfFileToken))
        {
            return Insert(root, statement, statement, commit.WithTrailingTrivia(statement.GetTrailingTrivia()));
        }

        // A line of its own, below a blank one where a block ends above.
        SyntaxTriviaList indentation = statement.GetLeadingTrivia() is [.., { RawKind: (int)SyntaxKind.WhitespaceTrivia } space] ? [space] : [];
        SyntaxTriviaList leading = statement.GetLastToken().IsKind(SyntaxKind.CloseBraceToken) ? indentation.Insert(0, newLine) : indentation;
        StatementSyntax before = endsLine ? statement : statement.WithTrailingTrivia(statement.GetTrailingTrivia().Add(newLine));
        SyntaxTriviaList trailing = endsLine ? [newLine] : [];
        return Insert(root, statement, before, commit.WithLeadingTrivia(leading).WithTrailingTrivia(trailing));
    }

    private static SyntaxNode Insert(SyntaxNode root, StatementSyntax statement, StatementSyntax before, StatementSyntax commit)
        => statement.Parent is GlobalStatementSyntax global
            ? root.ReplaceNode(global, [global.WithStatement(before), SyntaxFactory.GlobalStatement(commit)])
            : root.ReplaceNode(statement, [before, commit]);
}
