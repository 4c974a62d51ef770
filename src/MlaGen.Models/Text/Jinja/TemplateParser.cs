using System.Globalization;
using System.Runtime.CompilerServices;

namespace MlaGen.Models;

/// <summary>Reads a template by Jinja's grammar, as far as templates of chats use it.</summary>
internal sealed class TemplateParser
{
    private const int MostDepth = 200;

    private readonly List<TemplateToken> _tokens;
    private int _next;
    private int _depth;

    private TemplateParser(List<TemplateToken> tokens) => _tokens = tokens;

    private TemplateToken Current => _tokens[_next];

    /// <exception cref="TemplateError">The template is wrong, or uses what is not supported.</exception>
    public static List<TemplateStatement> Read(string source, out int line)
    {
        TemplateParser parser = new(TemplateLexer.Read(source, out line));
        try
        {
            List<TemplateStatement> body = parser.Body([]);
            return parser.Current.Kind == TemplateTokenKind.End ? body : throw parser.Unexpected();
        }
        finally
        {
            line = parser.Current.Line;
        }
    }

    /// <summary>Statements up to a block whose name is one of the ends, which is what stands next then, or to the end.</summary>
    private List<TemplateStatement> Body(string[] ends)
    {
        Enter();
        List<TemplateStatement> body = [];
        while (Current.Kind != TemplateTokenKind.End)
        {
            TemplateToken token = Current;
            if (token.Kind == TemplateTokenKind.Text)
            {
                _next++;
                body.Add(new TextStatement(token.Line, token.Text));
            }
            else if (token.Kind == TemplateTokenKind.OutputBegin)
            {
                _next++;
                body.Add(new OutputStatement(token.Line, TupleOrExpression()));
                Expect(TemplateTokenKind.OutputEnd);
            }
            else
            {
                string name = _tokens[_next + 1].Text;
                if (ends.Contains(name))
                {
                    break;
                }

                _next += 2;
                body.Add(Block(name, token.Line));
            }
        }

        if (ends.Length > 0 && Current.Kind == TemplateTokenKind.End)
        {
            throw new TemplateError($"{ends[^1]} is missing");
        }

        _depth--;
        return body;
    }

    private TemplateStatement Block(string name, int line)
    {
        switch (name)
        {
            case "if":
                return If(line);
            case "for":
                return For(line);
            case "set":
                return Set(line);
            case "macro":
                return Macro(line);
            case "break" or "continue":
                Expect(TemplateTokenKind.BlockEnd);
                return new FlowStatement(line, name == "break" ? TemplateFlow.Break : TemplateFlow.Continue);
            case "generation":
                Expect(TemplateTokenKind.BlockEnd);
                return new GroupStatement(line, Closed("endgeneration"));
            case "filter":
                List<FilterExpression> filters = [Filter(null)];
                while (Take("|"))
                {
                    filters.Add(Filter(null));
                }

                Expect(TemplateTokenKind.BlockEnd);
                return new CaptureStatement(line, null, filters, Closed("endfilter"));
            default:
                throw new TemplateError($"the statement {Unprintable.Escape(name, 100)} is not supported");
        }
    }

    private IfStatement If(int line)
    {
        List<(TemplateExpression?, List<TemplateStatement>)> branches = [];
        while (true)
        {
            TemplateExpression condition = TupleOrExpression();
            Expect(TemplateTokenKind.BlockEnd);
            branches.Add((condition, Body(["elif", "else", "endif"])));
            string end = EndOfBody();
            if (end == "elif")
            {
                continue;
            }

            if (end == "else")
            {
                Expect(TemplateTokenKind.BlockEnd);
                branches.Add((null, Body(["endif"])));
                EndOfBody();
            }

            Expect(TemplateTokenKind.BlockEnd);
            return new IfStatement(line, branches);
        }
    }

    private ForStatement For(int line)
    {
        TemplateTarget target = Target();
        ExpectName("in");
        TemplateExpression items = TupleOrExpression(withCondition: false);
        TemplateExpression? condition = TakeName("if") ? Expression() : null;
        if (TakeName("recursive"))
        {
            throw new TemplateError("a recursive loop is not supported");
        }

        Expect(TemplateTokenKind.BlockEnd);
        List<TemplateStatement> body = Body(["else", "endfor"]), otherwise = [];
        if (EndOfBody() == "else")
        {
            Expect(TemplateTokenKind.BlockEnd);
            otherwise = Body(["endfor"]);
            EndOfBody();
        }

        Expect(TemplateTokenKind.BlockEnd);
        return new ForStatement(line, target, items, condition, body, otherwise);
    }

    private TemplateStatement Set(int line)
    {
        TemplateTarget target = Target();
        if (Take("="))
        {
            TemplateExpression value = TupleOrExpression();
            Expect(TemplateTokenKind.BlockEnd);
            return new SetStatement(line, target, value);
        }

        List<FilterExpression> filters = [];
        while (Take("|"))
        {
            filters.Add(Filter(null));
        }

        Expect(TemplateTokenKind.BlockEnd);
        return new CaptureStatement(line, target, filters, Closed("endset"));
    }

    private MacroStatement Macro(int line)
    {
        string name = Name();
        List<(string, TemplateExpression?)> parameters = [];
        ExpectOperator("(");
        while (!Take(")"))
        {
            if (parameters.Count > 0)
            {
                ExpectOperator(",");
            }

            string parameter = Name();
            parameters.Add((parameter, Take("=") ? Expression() : null));
        }

        Expect(TemplateTokenKind.BlockEnd);
        return new MacroStatement(line, name, parameters, Closed("endmacro"));
    }

    private List<TemplateStatement> Closed(string end)
    {
        List<TemplateStatement> body = Body([end]);
        EndOfBody();
        Expect(TemplateTokenKind.BlockEnd);
        return body;
    }

    private string EndOfBody()
    {
        _next += 2;
        return _tokens[_next - 1].Text;
    }

    private TemplateTarget Target()
    {
        List<TemplateTarget> parts = [];
        do
        {
            if (parts.Count > 0 && Current.Kind != TemplateTokenKind.Name)
            {
                break;
            }

            if (Take("("))
            {
                parts.Add(Target());
                ExpectOperator(")");
                continue;
            }

            string name = Name();
            parts.Add(Take(".") ? new(null, new MemberExpression(new NameExpression(name), Name()), null) : new(name, null, null));
        }
        while (Take(","));
        return parts.Count == 1 && !_tokens[_next - 1].Is(TemplateTokenKind.Operator, ",") ? parts[0] : new(null, null, parts);
    }

    private TemplateExpression TupleOrExpression(bool withCondition = true)
    {
        TemplateExpression first = withCondition ? Expression() : Or();
        if (!Current.Is(TemplateTokenKind.Operator, ","))
        {
            return first;
        }

        List<TemplateExpression> items = [first];
        while (Take(","))
        {
            if (Current.Kind is TemplateTokenKind.BlockEnd or TemplateTokenKind.OutputEnd || Current.Is(TemplateTokenKind.Operator, ")"))
            {
                break;
            }

            items.Add(withCondition ? Expression() : Or());
        }

        return new ListExpression(items, TemplateListKind.Tuple);
    }

    private TemplateExpression Expression()
    {
        Enter();
        TemplateExpression value = Or();
        while (TakeName("if"))
        {
            TemplateExpression condition = Or();
            value = new ConditionalExpression(condition, value, TakeName("else") ? Expression() : null);
        }

        _depth--;
        return value;
    }

    private TemplateExpression Or() => Chain(And, () => TakeName("or"), (left, right) => new LogicalExpression(left, right, isAnd: false));

    private TemplateExpression And() => Chain(Not, () => TakeName("and"), (left, right) => new LogicalExpression(left, right, isAnd: true));

    /// <summary>Operators of one rank, from left to right. A long chain is a deep tree, which carrying out refuses.</summary>
    private static TemplateExpression Chain(Func<TemplateExpression> operand, Func<bool> take, Func<TemplateExpression, TemplateExpression, TemplateExpression> join)
    {
        TemplateExpression left = operand();
        while (take())
        {
            left = join(left, operand());
        }

        return left;
    }

    private TemplateExpression Not()
    {
        if (!TakeName("not"))
        {
            return Comparison();
        }

        Enter();
        NotExpression negated = new(Not());
        _depth--;
        return negated;
    }

    private TemplateExpression Comparison()
    {
        TemplateExpression first = Sum();
        List<(string, TemplateExpression)> rest = [];
        while (true)
        {
            TemplateToken token = Current;
            if (token.Kind == TemplateTokenKind.Operator && token.Text is "==" or "!=" or "<" or "<=" or ">" or ">=")
            {
                _next++;
                rest.Add((token.Text, Sum()));
            }
            else if (TakeName("in"))
            {
                rest.Add(("in", Sum()));
            }
            else if (token.Is(TemplateTokenKind.Name, "not") && _tokens[_next + 1].Is(TemplateTokenKind.Name, "in"))
            {
                _next += 2;
                rest.Add(("not in", Sum()));
            }
            else
            {
                return rest.Count == 0 ? first : new ComparisonExpression(first, rest);
            }
        }
    }

    private TemplateExpression Sum() => Arithmetic(Concatenation, "+", "-");

    private TemplateExpression Concatenation() => Arithmetic(Product, "~");

    private TemplateExpression Product() => Arithmetic(Power, "*", "/", "//", "%");

    private TemplateExpression Power() => Arithmetic(() => Unary(withFilters: true), "**");

    private TemplateExpression Arithmetic(Func<TemplateExpression> operand, params string[] operators)
    {
        TemplateExpression left = operand();
        while (Current.Kind == TemplateTokenKind.Operator && operators.Contains(Current.Text))
        {
            string @operator = _tokens[_next++].Text;
            left = new ArithmeticExpression(@operator, left, operand());
        }

        return left;
    }

    private TemplateExpression Unary(bool withFilters)
    {
        Enter();
        TemplateExpression value = Take("-") ? new NegativeExpression(Unary(withFilters: false), negates: true)
            : Take("+") ? new NegativeExpression(Unary(withFilters: false), negates: false)
            : Postfix(Primary());
        _depth--;
        return withFilters ? Filters(value) : value;
    }

    private TemplateExpression Primary()
    {
        TemplateToken token = _tokens[_next++];
        switch (token.Kind)
        {
            case TemplateTokenKind.Name:
                return token.Text switch
                {
                    "true" or "True" => new Literal(true),
                    "false" or "False" => new Literal(false),
                    "none" or "None" => new Literal(null),
                    _ => new NameExpression(token.Text),
                };
            case TemplateTokenKind.String:
                string text = token.Text;
                while (Current.Kind == TemplateTokenKind.String)
                {
                    text += _tokens[_next++].Text;
                }

                return new Literal(text);
            case TemplateTokenKind.Integer:
                return new Literal(long.TryParse(token.Text, NumberStyles.None, CultureInfo.InvariantCulture, out long integer) ? integer : throw new TemplateError($"the integer {token.Text} is too large"));
            case TemplateTokenKind.Float:
                return new Literal(double.Parse(token.Text, CultureInfo.InvariantCulture));
            case TemplateTokenKind.Operator when token.Text == "(":
                if (Take(")"))
                {
                    return new ListExpression([], TemplateListKind.Tuple);
                }

                TemplateExpression inner = TupleOrExpression();
                ExpectOperator(")");
                return inner;
            case TemplateTokenKind.Operator when token.Text == "[":
                return new ListExpression([.. Separated("]", Expression)], TemplateListKind.List);
            case TemplateTokenKind.Operator when token.Text == "{":
                return new MapExpression([.. Separated("}", () =>
                {
                    TemplateExpression key = Expression();
                    ExpectOperator(":");
                    return (key, Expression());
                })]);
            default:
                _next--;
                throw Unexpected();
        }
    }

    private List<T> Separated<T>(string end, Func<T> item)
    {
        List<T> items = [];
        while (!Take(end))
        {
            if (items.Count > 0)
            {
                ExpectOperator(",");
                if (Take(end))
                {
                    break;
                }
            }

            items.Add(item());
        }

        return items;
    }

    private TemplateExpression Postfix(TemplateExpression value)
    {
        while (true)
        {
            if (Take("."))
            {
                value = Current.Kind == TemplateTokenKind.Integer
                    ? new ItemExpression(value, new Literal(long.Parse(_tokens[_next++].Text, CultureInfo.InvariantCulture)))
                    : new MemberExpression(value, Name());
            }
            else if (Take("["))
            {
                value = Subscript(value);
            }
            else if (Take("("))
            {
                value = new CallExpression(value, Arguments());
            }
            else
            {
                return value;
            }
        }
    }

    private TemplateExpression Subscript(TemplateExpression value)
    {
        TemplateExpression?[] bounds = new TemplateExpression?[3];
        int colons = 0;
        while (!Take("]"))
        {
            if (Take(":"))
            {
                colons = colons == 2 ? throw Unexpected() : colons + 1;
            }
            else
            {
                bounds[colons] = bounds[colons] is null ? Expression() : throw Unexpected();
            }
        }

        return colons > 0 ? new SliceExpression(value, bounds[0], bounds[1], bounds[2])
            : new ItemExpression(value, bounds[0] ?? throw Unexpected());
    }

    private ArgumentExpressions Arguments()
    {
        List<(string Name, TemplateExpression Value)> named = [];
        List<TemplateExpression> positional = [];
        Separated(")", () =>
        {
            if (Current.Kind == TemplateTokenKind.Name && _tokens[_next + 1].Is(TemplateTokenKind.Operator, "="))
            {
                string name = Name();
                _next++;
                named.Add(named.Exists(other => other.Name == name) ? throw new TemplateError($"the argument {name} is there twice") : (name, Expression()));
            }
            else
            {
                positional.Add(Expression());
            }

            return 0;
        });
        return new(positional, named);
    }

    private TemplateExpression Filters(TemplateExpression value)
    {
        while (true)
        {
            if (Take("|"))
            {
                value = Filter(value);
            }
            else if (TakeName("is"))
            {
                value = Test(value);
            }
            else if (Take("("))
            {
                value = new CallExpression(value, Arguments());
            }
            else
            {
                return value;
            }
        }
    }

    private FilterExpression Filter(TemplateExpression? value)
    {
        string name = Name();
        return new(value, name, Take("(") ? Arguments() : ArgumentExpressions.None);
    }

    private TemplateExpression Test(TemplateExpression value)
    {
        bool negated = TakeName("not");
        string name = Name();
        ArgumentExpressions arguments = ArgumentExpressions.None;
        if (Take("("))
        {
            arguments = Arguments();
        }
        else if (Current.Kind is TemplateTokenKind.String or TemplateTokenKind.Integer or TemplateTokenKind.Float
            || Current.Is(TemplateTokenKind.Operator, "[") || Current.Is(TemplateTokenKind.Operator, "{")
            || (Current.Kind == TemplateTokenKind.Name && Current.Text is not ("else" or "or" or "and" or "is" or "if" or "in" or "not" or "recursive")))
        {
            arguments = new([Postfix(Primary())], []);
        }

        TestExpression test = new(value, name, arguments);
        return negated ? new NotExpression(test) : test;
    }

    private bool Take(string @operator)
    {
        bool found = Current.Is(TemplateTokenKind.Operator, @operator);
        _next += found ? 1 : 0;
        return found;
    }

    private bool TakeName(string name)
    {
        bool found = Current.Is(TemplateTokenKind.Name, name);
        _next += found ? 1 : 0;
        return found;
    }

    private string Name() => Current.Kind == TemplateTokenKind.Name ? _tokens[_next++].Text : throw Unexpected();

    private void Expect(TemplateTokenKind kind) => _next += Current.Kind == kind ? 1 : throw Unexpected();

    private void ExpectOperator(string @operator) => _ = Take(@operator) ? true : throw Unexpected($"expected {@operator}, found ");

    private void ExpectName(string name) => _ = TakeName(name) ? true : throw Unexpected($"expected {name}, found ");

    private TemplateError Unexpected(string before = "unexpected ") => new(before + Current.Kind switch
    {
        TemplateTokenKind.End => "the end",
        TemplateTokenKind.BlockEnd => "%}",
        TemplateTokenKind.OutputEnd => "}}",
        TemplateTokenKind.BlockBegin => "{%",
        TemplateTokenKind.OutputBegin => "{{",
        _ => Unprintable.Escape(Current.Text, 100),
    });

    private void Enter()
    {
        if (++_depth > MostDepth || !RuntimeHelpers.TryEnsureSufficientExecutionStack())
        {
            throw new TemplateError($"is nested more than {MostDepth} levels deep");
        }
    }
}
