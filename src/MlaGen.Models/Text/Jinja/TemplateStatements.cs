namespace MlaGen.Models;

/// <summary>How a statement ended.</summary>
internal enum TemplateFlow
{
    Next,
    Break,
    Continue,
}

/// <summary>A statement of a template, or text.</summary>
internal abstract class TemplateStatement(int line)
{
    public TemplateFlow Execute(TemplateScope scope)
    {
        scope.Run.Enter();
        scope.Run.Line = line;
        TemplateFlow flow = Carry(scope);
        scope.Run.Leave();
        return flow;
    }

    public static TemplateFlow Execute(List<TemplateStatement> body, TemplateScope scope)
    {
        foreach (TemplateStatement statement in body)
        {
            if (statement.Execute(scope) is var flow and not TemplateFlow.Next)
            {
                return flow;
            }
        }

        return TemplateFlow.Next;
    }

    protected abstract TemplateFlow Carry(TemplateScope scope);
}

internal sealed class TextStatement(int line, string text) : TemplateStatement(line)
{
    protected override TemplateFlow Carry(TemplateScope scope)
    {
        scope.Run.Write(text);
        return TemplateFlow.Next;
    }
}

internal sealed class OutputStatement(int line, TemplateExpression expression) : TemplateStatement(line)
{
    protected override TemplateFlow Carry(TemplateScope scope)
    {
        scope.Run.Write(TemplateValue.ToString(expression.Evaluate(scope), scope.Run));
        return TemplateFlow.Next;
    }
}

internal sealed class FlowStatement(int line, TemplateFlow flow) : TemplateStatement(line)
{
    protected override TemplateFlow Carry(TemplateScope scope) => flow;
}

internal sealed class IfStatement(int line, List<(TemplateExpression? Condition, List<TemplateStatement> Body)> branches) : TemplateStatement(line)
{
    protected override TemplateFlow Carry(TemplateScope scope)
    {
        foreach ((TemplateExpression? condition, List<TemplateStatement> body) in branches)
        {
            if (condition is null || TemplateValue.IsTrue(condition.Evaluate(scope)))
            {
                return Execute(body, scope);
            }
        }

        return TemplateFlow.Next;
    }
}

/// <summary>What a set or a loop gives a value: a name, a member of a namespace, or a tuple of those.</summary>
internal sealed record TemplateTarget(string? Name, MemberExpression? Member, List<TemplateTarget>? Parts)
{
    public void Assign(object? value, TemplateScope scope)
    {
        if (Name is not null)
        {
            scope[Name] = value;
        }
        else if (Member is not null)
        {
            TemplateMap map = Member.Target.Evaluate(scope) is TemplateMap { IsNamespace: true } space ? space : throw new TemplateError($"{Member.Name} is set in what is no namespace");
            scope.Run.Allocate(1);
            map[Member.Name] = value;
        }
        else
        {
            List<object?> items = TemplateValue.ToItems(value, scope.Run);
            if (items.Count != Parts!.Count)
            {
                throw new TemplateError($"{Counted.Of(Parts.Count, "name")} for {Counted.Of(items.Count, "value")}");
            }

            for (int i = 0; i < items.Count; i++)
            {
                Parts[i].Assign(items[i], scope);
            }
        }
    }
}

internal sealed class SetStatement(int line, TemplateTarget target, TemplateExpression value) : TemplateStatement(line)
{
    protected override TemplateFlow Carry(TemplateScope scope)
    {
        target.Assign(value.Evaluate(scope), scope);
        return TemplateFlow.Next;
    }
}

/// <summary><c>{% set name %}…{% endset %}</c>, and <c>{% filter name %}…{% endfilter %}</c>, which writes what it makes.</summary>
internal sealed class CaptureStatement(int line, TemplateTarget? target, List<FilterExpression> filters, List<TemplateStatement> body) : TemplateStatement(line)
{
    protected override TemplateFlow Carry(TemplateScope scope)
    {
        object? value = scope.Run.Capture(() => Execute(body, new TemplateScope(scope.Run, scope)));
        foreach (FilterExpression filter in filters)
        {
            value = filter.Apply(value, scope);
        }

        if (target is null)
        {
            scope.Run.Write(TemplateValue.ToString(value, scope.Run));
        }

        target?.Assign(value, scope);
        return TemplateFlow.Next;
    }
}

internal sealed class ForStatement(int line, TemplateTarget target, TemplateExpression items, TemplateExpression? condition, List<TemplateStatement> body, List<TemplateStatement> otherwise) : TemplateStatement(line)
{
    protected override TemplateFlow Carry(TemplateScope scope)
    {
        List<object?> all = TemplateValue.ToItems(items.Evaluate(scope), scope.Run);
        if (condition is not null)
        {
            scope.Run.Allocate(all.Count);
            all = all.FindAll(item =>
            {
                TemplateScope inner = new(scope.Run, scope);
                target.Assign(item, inner);
                return TemplateValue.IsTrue(condition.Evaluate(inner));
            });
        }

        for (int i = 0; i < all.Count; i++)
        {
            // What a loop's variables cost to make.
            scope.Run.Step(16);
            TemplateScope inner = new(scope.Run, scope);
            inner["loop"] = Loop(all, i);
            target.Assign(all[i], inner);
            if (Execute(body, inner) == TemplateFlow.Break)
            {
                break;
            }
        }

        return all.Count == 0 ? Execute(otherwise, new TemplateScope(scope.Run, scope)) : TemplateFlow.Next;
    }

    private static TemplateMap Loop(List<object?> all, int i)
    {
        TemplateMap loop = new()
        {
            ["index"] = i + 1L,
            ["index0"] = (long)i,
            ["first"] = i == 0,
            ["last"] = i == all.Count - 1,
            ["length"] = (long)all.Count,
            ["revindex"] = (long)all.Count - i,
            ["revindex0"] = all.Count - i - 1L,
            ["cycle"] = (TemplateFunction)((_, arguments) => arguments.Positional.Count == 0 ? throw new TemplateError("cycle has no values") : arguments.Positional[i % arguments.Positional.Count]),
        };
        if (i > 0)
        {
            loop["previtem"] = all[i - 1];
        }

        if (i + 1 < all.Count)
        {
            loop["nextitem"] = all[i + 1];
        }

        return loop;
    }
}

internal sealed class MacroStatement(int line, string name, List<(string Name, TemplateExpression? Default)> parameters, List<TemplateStatement> body) : TemplateStatement(line)
{
    protected override TemplateFlow Carry(TemplateScope scope)
    {
        scope[name] = (TemplateFunction)((run, arguments) => Call(scope, run, arguments));
        return TemplateFlow.Next;
    }

    private string Call(TemplateScope around, TemplateRun run, TemplateArguments arguments)
    {
        if (arguments.Positional.Count > parameters.Count || arguments.Named.Keys.FirstOrDefault(key => !parameters.Exists(parameter => parameter.Name == key)) is not null)
        {
            throw new TemplateError($"the macro {name} has no such argument");
        }

        TemplateScope inner = new(run, around);
        for (int i = 0; i < parameters.Count; i++)
        {
            (string parameter, TemplateExpression? otherwise) = parameters[i];
            inner[parameter] = i < arguments.Positional.Count ? arguments.Positional[i]
                : arguments.Named.TryGetValue(parameter, out object? value) ? value
                : otherwise is not null ? otherwise.Evaluate(inner)
                : new Undefined(parameter);
        }

        int line = run.Line;
        string text = run.Capture(() => Execute(body, inner));
        run.Line = line;
        return text;
    }
}

/// <summary><c>{% generation %}</c>, which transformers knows and which changes nothing in the text.</summary>
internal sealed class GroupStatement(int line, List<TemplateStatement> body) : TemplateStatement(line)
{
    protected override TemplateFlow Carry(TemplateScope scope) => Execute(body, scope);
}
