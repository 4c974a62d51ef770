using System.Runtime.CompilerServices;
using System.Text;

namespace MlaGen.Models;

/// <summary>
/// One rendering of a template, and what it may cost. A template comes with a checkpoint: whatever it says, it ends, in bounded memory, and sees nothing
/// but the values that it is given.
/// </summary>
/// <param name="time">Tells <c>strftime_now</c> the time.</param>
internal sealed class TemplateRun(TimeProvider time)
{
    public const long MostSteps = 20_000_000;
    public const long MostElements = 256L << 20;
    public const int MostOutput = 64 << 20;
    public const int MostDepth = 500;

    private long _steps, _elements;
    private int _depth;
    private StringBuilder _output = new();

    /// <summary>Tells the time.</summary>
    public TimeProvider Time { get; } = time;

    /// <summary>The line of the template that is carried out.</summary>
    public int Line { get; set; } = 1;

    /// <summary>What has been written.</summary>
    public string Output => _output.ToString();

    /// <summary>Counts steps: an operation, a character or element that is looked at.</summary>
    public void Step(long count = 1)
    {
        _steps += count;
        if (_steps > MostSteps)
        {
            throw new TemplateError($"takes more than {Counted.Of(MostSteps, "step")}");
        }
    }

    /// <summary>Counts characters of texts and elements of lists, before they are made.</summary>
    public void Allocate(long count)
    {
        _elements += count;
        if (_elements > MostElements)
        {
            throw new TemplateError($"makes texts and lists of more than {Counted.Of(MostElements, "character")} and elements");
        }
    }

    /// <summary>Goes one level deeper into expressions, blocks, macros or data, whose depth is bounded as the stack is.</summary>
    public void Enter()
    {
        if (++_depth > MostDepth || !RuntimeHelpers.TryEnsureSufficientExecutionStack())
        {
            throw new TemplateError($"is nested more than {MostDepth} levels deep");
        }

        Step();
    }

    /// <summary>Leaves what <see cref="Enter"/> entered. An error ends the run, and need not.</summary>
    public void Leave() => _depth--;

    /// <summary>Appends to the output.</summary>
    public void Write(string text)
    {
        Allocate(text.Length);
        if (_output.Length + text.Length > MostOutput)
        {
            throw new TemplateError($"writes more than {Counted.Of(MostOutput, "character")}");
        }

        _output.Append(text);
    }

    /// <summary>What an action writes, as a text instead of output.</summary>
    public string Capture(Action write)
    {
        StringBuilder outer = _output;
        _output = new();
        write();
        string captured = _output.ToString();
        _output = outer;
        Allocate(captured.Length);
        return captured;
    }
}

/// <summary>Names and their values; what is not found here is looked for around.</summary>
internal sealed class TemplateScope(TemplateRun run, TemplateScope? around)
{
    private readonly Dictionary<string, object?> _values = [];

    public TemplateRun Run { get; } = run;

    public object? this[string name]
    {
        get
        {
            for (TemplateScope? scope = this; scope is not null; scope = scope._around)
            {
                Run.Step();
                if (scope._values.TryGetValue(name, out object? value))
                {
                    return value;
                }
            }

            return new Undefined(name);
        }

        set
        {
            Run.Allocate(1);
            _values[name] = value;
        }
    }

    private readonly TemplateScope? _around = around;
}
