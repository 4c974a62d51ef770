using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Text;
using MlaGen.Generator.Diagnostics;

namespace MlaGen.Generator.Configs;

/// <summary>Something to say about a configuration: which rule, where in the file, and the words of its message.</summary>
internal sealed record ConfigProblem(DiagnosticDescriptor Rule, TextSpan Span, string[] Arguments)
{
    public bool IsError => Rule.DefaultSeverity == DiagnosticSeverity.Error;

    /// <summary>The problem at its line and column of the file.</summary>
    public Diagnostic ToDiagnostic(string path, SourceText? text)
    {
        // A file that cannot be read has a first line nevertheless: a diagnostic without a place is one that nobody finds.
        LinePositionSpan lines = text is null ? default : text.Lines.GetLinePositionSpan(Span);
        return Diagnostic.Create(Rule, Location.Create(path, Span, lines), Array.ConvertAll(Arguments, Unprintable.Escape));
    }
}

/// <summary>Collects what one configuration has wrong.</summary>
internal sealed class ProblemSink
{
    // A file that is wrong a hundred times is another kind of file: more would only bury the first.
    private const int Limit = 100;

    private readonly List<ConfigProblem> _problems = [];
    private readonly HashSet<(string Id, TextSpan Span)> _seen = [];

    public IReadOnlyList<ConfigProblem> Problems => _problems;

    public bool Has(DiagnosticDescriptor rule) => _problems.Any(problem => problem.Rule == rule);

    public bool HasErrors => _problems.Any(static problem => problem.IsError);

    /// <summary>Adds a problem, unless the same rule has spoken about the same place: a key that is read twice is wrong once.</summary>
    public void Add(DiagnosticDescriptor rule, TextSpan span, params string[] arguments)
    {
        if (_problems.Count < Limit && _seen.Add((rule.Id, span)))
        {
            _problems.Add(new ConfigProblem(rule, span, arguments));
        }
    }
}
