namespace MlaGen.Models;

/// <summary>An expression of a template.</summary>
internal abstract class TemplateExpression
{
    public object? Evaluate(TemplateScope scope)
    {
        scope.Run.Enter();
        object? value = Compute(scope);
        scope.Run.Leave();
        return value;
    }

    protected abstract object? Compute(TemplateScope scope);
}

internal sealed class Literal(object? value) : TemplateExpression
{
    protected override object? Compute(TemplateScope scope) => value;
}

internal sealed class NameExpression(string name) : TemplateExpression
{
    public string Name { get; } = name;

    protected override object? Compute(TemplateScope scope) =>
        scope[Name] is var value && value is Undefined && TemplateFunctions.Globals.TryGetValue(Name, out TemplateFunction? function) ? function : value;
}

internal sealed class ListExpression(List<TemplateExpression> items, TemplateListKind kind) : TemplateExpression
{
    public List<TemplateExpression> Items { get; } = items;

    protected override object? Compute(TemplateScope scope)
    {
        scope.Run.Allocate(Items.Count);
        return new TemplateList([.. Items.Select(item => item.Evaluate(scope))], kind);
    }
}

internal sealed class MapExpression(List<(TemplateExpression Key, TemplateExpression Value)> entries) : TemplateExpression
{
    protected override object? Compute(TemplateScope scope)
    {
        scope.Run.Allocate(entries.Count);
        TemplateMap map = [];
        foreach ((TemplateExpression key, TemplateExpression value) in entries)
        {
            object? name = key.Evaluate(scope);
            map[name is string or long or bool or double ? name : throw new TemplateError($"{TemplateValue.TypeOf(name)} is no key")] = value.Evaluate(scope);
        }

        return map;
    }
}

/// <summary><c>a.b</c>: a method before a member.</summary>
internal sealed class MemberExpression(TemplateExpression target, string name) : TemplateExpression
{
    public TemplateExpression Target { get; } = target;

    public string Name { get; } = name;

    protected override object? Compute(TemplateScope scope)
    {
        object? value = Target.Evaluate(scope);
        return TemplateMethods.Find(value, Name) ?? TemplateItems.Get(value, Name);
    }
}

/// <summary><c>a[b]</c>: a member before a method.</summary>
internal sealed class ItemExpression(TemplateExpression target, TemplateExpression index) : TemplateExpression
{
    protected override object? Compute(TemplateScope scope)
    {
        object? value = target.Evaluate(scope), key = index.Evaluate(scope);
        object? item = TemplateItems.Get(value, key);
        return item is Undefined && key is string name && TemplateMethods.Find(value, name) is { } method ? method : item;
    }
}

internal sealed class SliceExpression(TemplateExpression target, TemplateExpression? start, TemplateExpression? stop, TemplateExpression? step) : TemplateExpression
{
    protected override object? Compute(TemplateScope scope) =>
        TemplateItems.Slice(target.Evaluate(scope), Bound(start, scope), Bound(stop, scope), Bound(step, scope), scope.Run);

    private static long? Bound(TemplateExpression? bound, TemplateScope scope) => bound?.Evaluate(scope) is { } value ? TemplateValue.ToLong(value) : null;
}

/// <summary>Arguments as they are written.</summary>
internal sealed record ArgumentExpressions(List<TemplateExpression> Positional, List<(string Name, TemplateExpression Value)> Named)
{
    public static ArgumentExpressions None { get; } = new([], []);

    public TemplateArguments Evaluate(TemplateScope scope) => Positional.Count == 0 && Named.Count == 0
        ? TemplateArguments.None
        : new([.. Positional.Select(argument => argument.Evaluate(scope))], Named.ToDictionary(argument => argument.Name, argument => argument.Value.Evaluate(scope)));
}

internal sealed class CallExpression(TemplateExpression target, ArgumentExpressions arguments) : TemplateExpression
{
    protected override object? Compute(TemplateScope scope) => target.Evaluate(scope) switch
    {
        TemplateFunction function => function(scope.Run, arguments.Evaluate(scope)),
        Undefined missing => throw new TemplateError($"there is no function {missing.Name}"),
        var value => throw new TemplateError($"{TemplateValue.TypeOf(value)} cannot be called"),
    };
}

internal sealed class FilterExpression(TemplateExpression? target, string name, ArgumentExpressions arguments) : TemplateExpression
{
    private readonly TemplateFilter _filter = TemplateFilters.Find(name);

    protected override object? Compute(TemplateScope scope) => Apply(target!.Evaluate(scope), scope);

    public object? Apply(object? value, TemplateScope scope) => _filter(scope.Run, value, arguments.Evaluate(scope));
}

internal sealed class TestExpression(TemplateExpression target, string name, ArgumentExpressions arguments) : TemplateExpression
{
    private readonly TemplateTest _test = TemplateTests.Find(name);

    protected override object? Compute(TemplateScope scope) => _test(scope.Run, target.Evaluate(scope), arguments.Evaluate(scope));
}

internal sealed class ConditionalExpression(TemplateExpression condition, TemplateExpression then, TemplateExpression? otherwise) : TemplateExpression
{
    protected override object? Compute(TemplateScope scope) =>
        TemplateValue.IsTrue(condition.Evaluate(scope)) ? then.Evaluate(scope) : otherwise is null ? new Undefined("the other case") : otherwise.Evaluate(scope);
}

internal sealed class LogicalExpression(TemplateExpression left, TemplateExpression right, bool isAnd) : TemplateExpression
{
    protected override object? Compute(TemplateScope scope)
    {
        object? value = left.Evaluate(scope);
        return TemplateValue.IsTrue(value) == isAnd ? right.Evaluate(scope) : value;
    }
}

internal sealed class NotExpression(TemplateExpression operand) : TemplateExpression
{
    protected override object? Compute(TemplateScope scope) => !TemplateValue.IsTrue(operand.Evaluate(scope));
}

/// <summary><c>a &lt; b == c</c>: each neighbouring pair must hold.</summary>
internal sealed class ComparisonExpression(TemplateExpression first, List<(string Operator, TemplateExpression Operand)> rest) : TemplateExpression
{
    protected override object? Compute(TemplateScope scope)
    {
        object? left = first.Evaluate(scope);
        foreach ((string @operator, TemplateExpression operand) in rest)
        {
            object? right = operand.Evaluate(scope);
            if (!TemplateArithmetic.Holds(@operator, left, right, scope.Run))
            {
                return false;
            }

            left = right;
        }

        return true;
    }
}

internal sealed class ArithmeticExpression(string @operator, TemplateExpression left, TemplateExpression right) : TemplateExpression
{
    protected override object? Compute(TemplateScope scope) => TemplateArithmetic.Compute(@operator, left.Evaluate(scope), right.Evaluate(scope), scope.Run);
}

internal sealed class NegativeExpression(TemplateExpression operand, bool negates) : TemplateExpression
{
    protected override object? Compute(TemplateScope scope) => operand.Evaluate(scope) switch
    {
        double number => (object)(negates ? -number : number),
        var value => TemplateArithmetic.Compute(negates ? "-" : "+", 0L, value, scope.Run),
    };
}
