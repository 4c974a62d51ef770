namespace MlaGen.Generator.Configs;

/// <summary>
/// A regular expression out of a model's file, matched as Python's <c>re.match</c> does: from the start of a name, not to its end. The file is a stranger's, so
/// all states are followed at once (Thompson's construction): time grows with pattern times name and nothing backtracks. References to groups, lookbehind and
/// flags are not understood.
/// </summary>
internal sealed class NameRegex
{
    /// <summary>Longer expressions are not looked at.</summary>
    public const int MaxLength = 1024;

    private const int MaxInstructions = 4000;

    // An expression costs something even if it is refused at its first sign.
    private const int ParseSteps = 32;

    private readonly List<Instruction> _program = [];

    private readonly MatchBudget _compiling;

    private NameRegex(MatchBudget compiling) => _compiling = compiling;

    internal enum Op : byte
    {
        /// <summary>Takes a character that <see cref="Instruction.Set"/> has.</summary>
        Take,

        /// <summary>Goes on at both targets.</summary>
        Split,

        /// <summary>Goes on at <see cref="Instruction.Second"/> if a match does (not) begin here at <see cref="Instruction.First"/>.</summary>
        Look,
        LookNot,

        Start,
        End,
        Boundary,
        NotBoundary,
        Match,
    }

    /// <summary>Compiles an expression; null when it is not understood.</summary>
    /// <param name="pattern">The expression.</param>
    /// <param name="budget">What may be spent on compiling this and its like.</param>
    public static NameRegex? Parse(string pattern, MatchBudget budget)
    {
        if (pattern.Length > MaxLength || !budget.Spend(ParseSteps + pattern.Length))
        {
            return null;
        }

        var regex = new NameRegex(budget);
        try
        {
            regex.Emit(new NameRegexParser(pattern).Parse());
            regex.Add(new Instruction(Op.Match));
        }
        catch (FormatException)
        {
            return null;
        }

        return regex;
    }

    /// <summary>Whether a match begins at the start of the name; false, too, when the budget is spent.</summary>
    public bool IsMatch(string name, MatchBudget budget) => Run(0, name, 0, budget);

    private void Emit(NameRegexNode node)
    {
        if (!_compiling.Spend())
        {
            throw new FormatException("The expressions are too many.");
        }

        switch (node.Kind)
        {
            case NameRegexKind.Take:
                Add(new Instruction(Op.Take) { Set = node.Set });
                break;
            case NameRegexKind.Assert:
                Add(new Instruction(node.Assertion));
                break;
            case NameRegexKind.Sequence:
                node.Children.ForEach(Emit);
                break;
            case NameRegexKind.Choice:
                EmitChoice(node);
                break;
            case NameRegexKind.Look:
                int look = Add(new Instruction(node.Assertion));
                Emit(node.Children[0]);
                Add(new Instruction(Op.Match));
                _program[look] = new Instruction(node.Assertion) { First = look + 1, Second = _program.Count };
                break;
            default:
                EmitRepeat(node);
                break;
        }
    }

    private void EmitChoice(NameRegexNode node)
    {
        var ends = new List<int>();
        for (int i = 0; i < node.Children.Count - 1; i++)
        {
            int split = Add(new Instruction(Op.Split));
            Emit(node.Children[i]);
            ends.Add(Add(new Instruction(Op.Split)));
            _program[split] = new Instruction(Op.Split) { First = split + 1, Second = _program.Count };
        }

        Emit(node.Children[node.Children.Count - 1]);
        ends.ForEach(end => _program[end] = new Instruction(Op.Split) { First = _program.Count, Second = _program.Count });
    }

    private void EmitRepeat(NameRegexNode node)
    {
        for (int i = 0; i < node.Least; i++)
        {
            int start = _program.Count;
            Emit(node.Children[0]);
            if (_program.Count == start)
            {
                // What emits nothing takes nothing, however often, and no limit of instructions would ever end it.
                return;
            }
        }

        if (node.Most is not { } most)
        {
            int loop = Add(new Instruction(Op.Split));
            Emit(node.Children[0]);
            Add(new Instruction(Op.Split) { First = loop, Second = loop });
            _program[loop] = new Instruction(Op.Split) { First = loop + 1, Second = _program.Count };
            return;
        }

        for (int i = node.Least; i < most; i++)
        {
            int skip = Add(new Instruction(Op.Split));
            Emit(node.Children[0]);
            _program[skip] = new Instruction(Op.Split) { First = skip + 1, Second = _program.Count };
        }
    }

    // Counted repetitions of counted repetitions would grow without end.
    private int Add(Instruction instruction)
    {
        if (_program.Count == MaxInstructions)
        {
            throw new FormatException("The expression is too large.");
        }

        _program.Add(instruction);
        return _program.Count - 1;
    }

    private bool Run(int first, string name, int position, MatchBudget budget)
    {
        // What is set up for a run is work too.
        if (!budget.Spend(1 + (_program.Count / 16)))
        {
            return false;
        }

        var current = new List<int>();
        var pending = new Stack<int>();
        int[] seenAt = new int[_program.Count];
        pending.Push(first);
        for (; ; position++)
        {
            // Follow all that takes no character.
            while (pending.Count > 0)
            {
                int state = pending.Pop();
                if (seenAt[state] == position + 1)
                {
                    continue;
                }

                seenAt[state] = position + 1;
                if (!budget.Spend())
                {
                    return false;
                }

                Instruction instruction = _program[state];
                switch (instruction.Op)
                {
                    case Op.Match:
                        return true;
                    case Op.Take:
                        current.Add(state);
                        break;
                    case Op.Split:
                        pending.Push(instruction.First);
                        pending.Push(instruction.Second);
                        break;
                    case Op.Look or Op.LookNot:
                        if (Run(instruction.First, name, position, budget) == (instruction.Op == Op.Look))
                        {
                            pending.Push(instruction.Second);
                        }

                        break;
                    default:
                        if (Holds(instruction.Op, name, position))
                        {
                            pending.Push(state + 1);
                        }

                        break;
                }
            }

            if (position == name.Length || current.Count == 0)
            {
                return false;
            }

            foreach (int state in current)
            {
                if (_program[state].Set.Contains(name[position]))
                {
                    pending.Push(state + 1);
                }
            }

            current.Clear();
        }
    }

    private static bool Holds(Op assertion, string name, int position) => assertion switch
    {
        Op.Start => position == 0,
        Op.End => position == name.Length,
        _ => (IsWord(name, position - 1) != IsWord(name, position)) == (assertion == Op.Boundary),
    };

    private static bool IsWord(string name, int position) => position >= 0 && position < name.Length && AsciiSet.Words.Contains(name[position]);

    private readonly record struct Instruction(Op Op)
    {
        public int First { get; init; }

        public int Second { get; init; }

        public AsciiSet Set { get; init; }
    }
}

/// <summary>Steps that may be spent on one section of a file. A count and no clock: the same file has the same outcome on every machine.</summary>
internal sealed class MatchBudget(int steps)
{
    private int _steps = steps;

    public bool IsSpent => _steps <= 0;

    public bool Spend(int count = 1)
    {
        _steps = Math.Max(0, _steps - count);
        return _steps > 0;
    }
}
